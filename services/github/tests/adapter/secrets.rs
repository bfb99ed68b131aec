//! Errors and debug forms hold no secret, and GitHub describes every request that the client makes.
use ck8s_provider::{CommitState, CommitStatus, HookSpec, RepositoryProvider, Thread};
use ck8s_tests::Fault;
use time::OffsetDateTime;

use crate::{
    api_description::operations,
    fixture::{ALL_PERMISSIONS, APP, Fixture},
};

/// All operations that the client uses.
const OPERATIONS: [&str; 23] = [
    "DELETE /repos/{owner}/{repo}/hooks/{hook_id}",
    "GET /app",
    "GET /repos/{owner}/{repo}",
    "GET /repos/{owner}/{repo}/branches/{branch}",
    "GET /repos/{owner}/{repo}/collaborators/{username}/permission",
    "GET /repos/{owner}/{repo}/contents/{path}",
    "GET /repos/{owner}/{repo}/hooks",
    "GET /repos/{owner}/{repo}/hooks/{hook_id}/deliveries",
    "GET /repos/{owner}/{repo}/issues",
    "GET /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "GET /repos/{owner}/{repo}/pulls",
    "GET /repos/{owner}/{repo}/pulls/{pull_number}",
    "GET /user",
    "GET /users/{username}",
    "PATCH /repos/{owner}/{repo}/hooks/{hook_id}",
    "PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}",
    "POST /app/installations/{installation_id}/access_tokens",
    "POST /repos/{owner}/{repo}/hooks",
    "POST /repos/{owner}/{repo}/hooks/{hook_id}/deliveries/{delivery_id}/attempts",
    "POST /repos/{owner}/{repo}/hooks/{hook_id}/pings",
    "POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
    "POST /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "POST /repos/{owner}/{repo}/statuses/{sha}",
];

/// Calls every method. Returns the errors, displayed and in their debug form.
async fn call_everything(fixture: &Fixture, credential: &ck8s_provider::Credential) -> Vec<String> {
    let (client, remote) = (&fixture.client, &fixture.remote);
    let mut said = Vec::new();
    let mut note = |error: Option<ck8s_provider::ProviderError>| {
        said.extend(error.map(|error| format!("{error} {error:?}")));
    };
    let spec = HookSpec {
        url: "http://127.0.0.1:9/hook".to_owned(),
        secret: "the-webhook-secret".to_owned().into(),
    };
    let status = CommitStatus {
        state: CommitState::Success,
        context: "ck8s".to_owned(),
        description: "done".to_owned(),
        url: "https://ck8s.test/runs/1".to_owned(),
    };
    let thread = Thread { number: 5 };
    let sha = fixture.github.world().repository(APP).head("main");
    let since = OffsetDateTime::UNIX_EPOCH;
    note(client.find_repository(credential, "acme/app").await.err());
    note(client.actor(credential).await.err());
    note(client.may_write(credential, remote, "bob").await.err());
    note(client.pull_request_head(credential, remote, 6).await.err());
    let hook = client.create_hook(credential, remote, &spec).await;
    let id = hook
        .as_ref()
        .map_or("1", |hook| hook.id.as_str())
        .to_owned();
    note(hook.err());
    note(client.list_hooks(credential, remote, &spec.url).await.err());
    note(
        client
            .update_hook(credential, remote, &id, &spec)
            .await
            .err(),
    );
    note(client.ping_hook(credential, remote, &id).await.err());
    let attempts = client
        .list_delivery_attempts(credential, remote, &id, since)
        .await;
    let attempt = attempts
        .as_ref()
        .map_or("1", |all| all[0].id.as_str())
        .to_owned();
    note(attempts.err());
    note(
        client
            .redeliver(credential, remote, &id, &attempt)
            .await
            .err(),
    );
    note(client.delete_hook(credential, remote, &id).await.err());
    note(
        client
            .fetch_file(credential, remote, "main", "services.yaml", None)
            .await
            .err(),
    );
    note(
        client
            .set_status(credential, remote, &sha, &status)
            .await
            .err(),
    );
    note(
        client
            .find_comment(credential, remote, &thread, "x")
            .await
            .err(),
    );
    let comment = client
        .create_comment(credential, remote, &thread, "hello")
        .await;
    let id = comment.as_ref().map_or("1", String::as_str).to_owned();
    note(comment.err());
    note(
        client
            .update_comment(credential, remote, &id, "hello again")
            .await
            .err(),
    );
    note(client.acknowledge(credential, remote, &id).await.err());
    said
}

#[tokio::test]
async fn github_describes_every_request_of_the_client() {
    let fixture = Fixture::start().await;
    let kinds = [
        fixture.ada.clone(),
        fixture.fine_token("ada", &ALL_PERMISSIONS),
        fixture.app(&ALL_PERMISSIONS),
    ];
    for credential in &kinds {
        assert_eq!(call_everything(&fixture, credential).await, [""; 0]);
    }
    let world = fixture.github.world();
    let exchanges = world.exchanges.clone().unwrap_or_default();
    drop(world);
    if let Some(asked) = operations(&exchanges) {
        let expected = OPERATIONS.map(str::to_owned);
        assert_eq!(asked, expected.into());
    }
}

#[tokio::test]
async fn no_error_and_no_debug_form_contains_a_secret() {
    let fixture = Fixture::start().await;
    let app = fixture.app(&ALL_PERMISSIONS);
    let wrong = fixture.classic_token("eve", &[]);
    let mut said = Vec::new();
    for fault in [None, Some(422), Some(403), Some(404), Some(500)] {
        for credential in [&fixture.ada, &app, &wrong] {
            if let Some(status) = fault {
                fixture
                    .github
                    .world()
                    .switch_on("", Fault::Echo(status), 1000);
            }
            said.push(format!("{credential:?}"));
            said.extend(call_everything(&fixture, credential).await);
            fixture.github.world().switch_off();
        }
    }
    assert!(said.len() > 100, "{}", said.len());
    let mut secrets = fixture.github.world().secrets();
    secrets.push(("the webhook's secret", "the-webhook-secret".to_owned()));
    for (what, secret) in secrets {
        let held = said.iter().find(|text| text.contains(secret.trim()));
        assert_eq!(held, None, "{what}");
    }
    let shown = said.iter().any(|text| text.contains("***"));
    assert!(shown, "GitHub's message is shown, without the secret");
}
