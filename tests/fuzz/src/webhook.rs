//! Webhooks: what is read of the head and the body, and what a body triggers.
use ck8s_ingress::{WebhookReading, read_webhook};
use ck8s_proto::{
    ingress::v1::Webhook,
    repositories::v1::{Repository, ResolvedRepository, Services, Trigger},
    runs::v1::RunSpec,
};

/// More elements than any list of a payload may keep.
const MAX_LIST_ELEMENTS: usize = 2_048;
/// More bytes than a concurrency group may have.
const MAX_GROUP_BYTES: usize = 200;
/// The codes that a webhook may be rejected with before its signature is checked.
const CODES: &[&str] = &[
    "PROVIDER_UNKNOWN",
    "EVENT_MISSING",
    "EVENT_INVALID",
    "DELIVERY_ID_MISSING",
    "DELIVERY_ID_INVALID",
    "BODY_NOT_JSON",
    "SIGNATURE_MISSING",
];

/// Reads a body, as each of these events. The first byte says which.
pub(crate) fn body(input: &[u8]) {
    const EVENTS: &[&str] = &[
        "push",
        "issues",
        "issue_comment",
        "pull_request",
        "pull_request_review",
        "create",
        "merge_group",
    ];
    let Some((first, body)) = input.split_first() else {
        return;
    };
    let event = EVENTS[usize::from(*first) % EVENTS.len()];
    let Ok(reading) = read(event, "d-1", "sha256=0", body) else {
        return;
    };
    let Some(payload) = reading.payload else {
        return;
    };
    assert_eq!(
        reading.envelope_repository_id, payload.repository_id,
        "whose secret is checked, and whose triggers are asked"
    );
    assert!(payload.longest_list <= MAX_LIST_ELEMENTS);
    for spec in &payload.runs {
        assert!(spec.concurrency_group.len() <= MAX_GROUP_BYTES, "{spec:?}");
        assert!(!spec.concurrency_group.contains('\0'));
    }
    assert!(!payload.runs.is_empty() || !payload.reason.is_empty());
}

/// Reads a head: the parts are separated by line feeds.
pub(crate) fn head(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut parts = text.split('\n');
    let mut part = || parts.next().unwrap_or_default();
    let (event, delivery_id, signature) = (part(), part(), part());
    if let Ok(reading) = read(event, delivery_id, signature, b"{}") {
        assert!(!event.is_empty() && event.len() <= 100 && event.is_ascii());
        let is_printable = delivery_id.bytes().all(|b| b.is_ascii_graphic());
        assert!(!delivery_id.is_empty() && delivery_id.len() <= 100 && is_printable);
        assert_eq!(reading.has_signature, is_signature(signature));
    }
}

fn is_signature(text: &str) -> bool {
    text.strip_prefix("sha256=")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn read(
    event: &str,
    delivery_id: &str,
    signature: &str,
    body: &[u8],
) -> Result<WebhookReading, &'static str> {
    let webhook = Webhook {
        provider: "github".to_owned(),
        event: event.to_owned(),
        delivery_id: delivery_id.to_owned(),
        signature: signature.to_owned(),
        body: body.to_vec().into(),
        content_type: "application/json".to_owned(),
    };
    let reading = read_webhook(webhook, repository());
    if let Err(code) = &reading {
        assert!(CODES.contains(code), "{code}");
    }
    reading
}

/// Returns a repository whose triggers use everything that a trigger can look at.
fn repository() -> ResolvedRepository {
    let id = uuid::Uuid::from_u128(1).to_string();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let trigger = |event: &str, group: &str| Trigger {
        name: event.to_owned(),
        event: event.to_owned(),
        spec: Some(RunSpec {
            command: words(&["true"]),
            concurrency_group: group.to_owned(),
            ..RunSpec::default()
        }),
        ..Trigger::default()
    };
    let triggers = vec![
        Trigger {
            branches: words(&["main", "release/**", "$default"]),
            tags: words(&["v*"]),
            paths: words(&["src/**", "*.rs"]),
            paths_ignore: words(&["docs/**"]),
            ..trigger("push", "{repository}-{ref}-{branch}-{event}")
        },
        Trigger {
            actions: words(&["labeled", "opened"]),
            labels: words(&["run:dev"]),
            ..trigger("issues", "{repository}#{number}")
        },
        Trigger {
            comment: "/run".to_owned(),
            ..trigger("issue_comment", "{number}")
        },
        trigger("pull_request", "{ref}"),
        trigger("pull_request_review", "{branch}"),
        trigger("create", "{ref}"),
        Trigger {
            branches: words(&["$default"]),
            paths: words(&["src/**"]),
            ..trigger("merge_group", "{branch}")
        },
    ];
    ResolvedRepository {
        repository: Some(Repository {
            id: id.clone(),
            project_id: id,
            full_name: "acme/one".to_owned(),
            external_id: "501".to_owned(),
            default_branch: "main".to_owned(),
            services: Some(Services {
                triggers,
                warnings: Vec::new(),
            }),
            ..Repository::default()
        }),
        webhook_secrets: Vec::new(),
        expire_time: None,
        actor: None,
    }
}
