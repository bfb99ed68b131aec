//! Bad input has an exact answer, stores nothing, and leaves no secret in a log.
use ck8s_proto::{auth::v1::TokenKind, runs::v1::ListRunsRequest};
use ck8s_tests::{Api, Http, HttpResponse, Setup, Webhook, World, labeled, webhook};

struct Case {
    name: &'static str,
    webhook: Webhook,
    expected: (u16, &'static str),
}

fn case(name: &'static str, webhook: Webhook, status: u16, code: &'static str) -> Case {
    Case {
        name,
        webhook,
        expected: (status, code),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_webhook_has_its_answer_and_stores_nothing() {
    let world = World::start(Setup::without_worker()).await;
    let secret = world.ready.webhook_secret.clone();
    let body = labeled(1, "demo/demo", 1, "run:dev")
        .to_string()
        .into_bytes();
    let good = || Webhook::new("issues", body.clone(), &secret);
    let with_body = |body: Vec<u8>| Webhook::new("issues", body, &secret);
    let signature_of_body = good().header("x-hub-signature-256").to_owned();
    let other_secret = "another-secret-of-somebody-else";
    let signature_by_another_secret = webhook::signature(other_secret, &body);
    let deep = |levels: usize| {
        let nested = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        with_body(format!(r#"{{"repository":{{"id":1}},"deep":{nested}}}"#).into_bytes())
    };
    let signature = "x-hub-signature-256";
    let cases = vec![
        case(
            "no signature",
            good().without(signature),
            401,
            "SIGNATURE_MISSING",
        ),
        case(
            "sha1 only",
            good().without(signature).with(
                "x-hub-signature",
                "sha1=0123456789012345678901234567890123456789",
            ),
            401,
            "SIGNATURE_MISSING",
        ),
        case(
            "malformed: no prefix",
            good().with(signature, signature_of_body.trim_start_matches("sha256=")),
            401,
            "SIGNATURE_INVALID",
        ),
        case(
            "malformed: not hex",
            good().with(signature, &format!("sha256={}", "z".repeat(64))),
            401,
            "SIGNATURE_INVALID",
        ),
        case(
            "malformed: sha1 in its place",
            good().with(signature, "sha1=0123456789012345678901234567890123456789"),
            401,
            "SIGNATURE_INVALID",
        ),
        case(
            "truncated",
            good().with(signature, &signature_of_body[..signature_of_body.len() - 2]),
            401,
            "SIGNATURE_INVALID",
        ),
        case(
            "too long",
            good().with(signature, &format!("{signature_of_body}00")),
            401,
            "SIGNATURE_INVALID",
        ),
        case(
            "signed with another secret",
            good().with(signature, &signature_by_another_secret),
            401,
            "SIGNATURE_INVALID",
        ),
        case(
            "signature of another body",
            with_body(b"{}".to_vec()).with(signature, &signature_of_body),
            401,
            "SIGNATURE_INVALID",
        ),
        case(
            "empty signature",
            good().with(signature, ""),
            401,
            "SIGNATURE_MISSING",
        ),
        case("empty body", with_body(Vec::new()), 400, "BODY_NOT_JSON"),
        case(
            "26 MB",
            with_body(vec![b' '; 26 << 20]),
            413,
            "BODY_TOO_LARGE",
        ),
        case(
            "not JSON",
            with_body(b"payload=%7B%7D".to_vec()),
            400,
            "BODY_NOT_JSON",
        ),
        case(
            "half JSON",
            with_body(body[..body.len() / 2].to_vec()),
            400,
            "BODY_NOT_JSON",
        ),
        case(
            "not an object",
            with_body(b"[1,2]".to_vec()),
            400,
            "BODY_NOT_JSON",
        ),
        case("nested 100,000 deep", deep(100_000), 400, "BODY_NOT_JSON"),
        case(
            "a form",
            good().with("content-type", "application/x-www-form-urlencoded"),
            415,
            "CONTENT_TYPE_INVALID",
        ),
        case(
            "plain text",
            good().with("content-type", "text/plain"),
            415,
            "CONTENT_TYPE_INVALID",
        ),
        case(
            "no content type",
            good().without("content-type"),
            415,
            "CONTENT_TYPE_INVALID",
        ),
        case(
            "no event",
            good().without("x-github-event"),
            400,
            "EVENT_MISSING",
        ),
        case(
            "not an event's name",
            good().with("x-github-event", "Issues; drop"),
            400,
            "EVENT_INVALID",
        ),
        case(
            "no delivery id",
            good().without("x-github-delivery"),
            400,
            "DELIVERY_ID_MISSING",
        ),
        case(
            "a delivery id of 10 kB",
            good().with("x-github-delivery", &"d".repeat(10_000)),
            400,
            "DELIVERY_ID_INVALID",
        ),
        case(
            "an unknown repository",
            {
                let body = labeled(4711, "some/where", 1, "run:dev")
                    .to_string()
                    .into_bytes();
                with_body(body)
            },
            401,
            "SIGNATURE_INVALID",
        ),
    ];
    let mut wrong = Vec::new();
    for case in &cases {
        let answer = case
            .webhook
            .send_to(&world.ready.url)
            .await
            .unwrap_or_else(|e| panic!("{}: {e}", case.name));
        println!("{:<32} {} {}", case.name, answer.status, answer.code());
        if (answer.status, answer.code().as_str()) != case.expected {
            wrong.push(format!(
                "{}: expected {:?}, got {answer:?}",
                case.name, case.expected
            ));
        }
        let json = answer.json();
        let texts = ["code", "message", "delivery_id"]
            .iter()
            .all(|k| json[k].is_string());
        if !texts {
            wrong.push(format!(
                "{}: not the shape of a response: {answer:?}",
                case.name
            ));
        }
        let echo = json["delivery_id"].as_str().unwrap_or_default();
        if !echo.is_empty() && echo != case.webhook.delivery() {
            wrong.push(format!("{}: another delivery id", case.name));
        }
    }
    let mut http = Http::connect(&world.ready.url).await.unwrap();
    for method in ["GET", "PUT", "DELETE"] {
        let answer: HttpResponse = http.request(method, webhook::PATH, &[], b"").await.unwrap();
        if (answer.status, answer.code().as_str()) != (405, "METHOD_NOT_ALLOWED") {
            wrong.push(format!("{method}: {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.admin.all_deliveries().await, [], "nothing is stored");
    assert_eq!(world.admin.all_runs("").await, []);

    // The server still works.
    let next = good();
    assert_eq!(next.send_to(&world.ready.url).await.unwrap().status, 202);
    let signatures: Vec<&str> = cases
        .iter()
        .map(|c| c.webhook.header(signature))
        .filter(|s| s.len() == 71)
        .collect();
    let mut secrets = vec![
        ("the webhook secret", secret.as_str()),
        ("the admin's token", world.ready.admin_token.as_str()),
    ];
    secrets.push(("the worker's token", world.worker_token.as_str()));
    for text in signatures {
        secrets.push(("a signature", text.trim_start_matches("sha256=")));
    }
    world.nowhere(&secrets).await;
}

#[tokio::test]
async fn calls_without_a_valid_token_are_refused() {
    let world = World::start(Setup::without_worker()).await;
    let (_, revoked) = world.admin.token("to-be-revoked", TokenKind::Admin).await;
    let list = async |api: &Api| {
        api.runs()
            .list_runs(ListRunsRequest::default())
            .await
            .map(drop)
            .map_err(|s| s.code())
    };
    let url = &world.ready.url;
    let caller = Api::new(url, &revoked);
    assert_eq!(
        list(&caller).await,
        Ok(()),
        "it is valid until it is revoked"
    );
    world.admin.revoke("to-be-revoked").await;
    ck8s_tests::until("the revoked token is refused", async || {
        list(&caller).await.is_err().then_some(())
    })
    .await;

    let mut unknown = revoked.clone();
    unknown.truncate(unknown.len() - 4);
    unknown.push_str("AAAA");
    let cases = [
        ("none", Api::anonymous(url), tonic::Code::Unauthenticated),
        (
            "malformed",
            Api::new(url, "what is this"),
            tonic::Code::Unauthenticated,
        ),
        ("empty", Api::new(url, ""), tonic::Code::Unauthenticated),
        (
            "a run's, made up",
            Api::new(url, "ck8s_run_x_y"),
            tonic::Code::Unauthenticated,
        ),
        (
            "10 kB",
            Api::new(url, &format!("ck8s_adm_{}", "a".repeat(10_000))),
            tonic::Code::Unauthenticated,
        ),
        (
            "unknown",
            Api::new(url, &unknown),
            tonic::Code::Unauthenticated,
        ),
        ("revoked", caller, tonic::Code::Unauthenticated),
        (
            "a worker's",
            world.as_worker(),
            tonic::Code::PermissionDenied,
        ),
    ];
    for (name, api, code) in cases {
        let answer = list(&api).await;
        println!("{name:<24} {answer:?}");
        assert_eq!(answer, Err(code), "{name}");
    }
    world
        .nowhere(&[
            ("a token", &revoked),
            ("an unknown token", &unknown),
            ("the admin's token", &world.ready.admin_token),
        ])
        .await;
}
