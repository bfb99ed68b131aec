//! Nothing that the adapter says holds a secret; and every request that it can make is one that GitHub describes.
use ck8s_provider::{CommitState, CommitStatus, HookSpec, RepositoryProvider, Thread};
use ck8s_tests::Fault;
use time::OffsetDateTime;

use crate::{
    description::operations,
    scene::{APP, EVERYTHING, Scene},
};

/// What the adapter asks, all of it.
const ALL: [&str; 20] = [
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
    "GET /user",
    "GET /users/{username}",
    "PATCH /repos/{owner}/{repo}/hooks/{hook_id}",
    "PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}",
    "POST /app/installations/{installation_id}/access_tokens",
    "POST /repos/{owner}/{repo}/hooks",
    "POST /repos/{owner}/{repo}/hooks/{hook_id}/deliveries/{delivery_id}/attempts",
    "POST /repos/{owner}/{repo}/hooks/{hook_id}/pings",
    "POST /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
];
/// And two more that do not fit above.
const MORE: [&str; 2] = [
    "POST /repos/{owner}/{repo}/issues/{issue_number}/comments",
    "POST /repos/{owner}/{repo}/statuses/{sha}",
];

/// Asks everything; what went wrong, in words and in its debug form.
async fn everything(scene: &Scene, credential: &ck8s_provider::Credential) -> Vec<String> {
    let (adapter, remote) = (&scene.adapter, &scene.remote);
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
    let sha = scene.github.world().repository(APP).head("main");
    let since = OffsetDateTime::UNIX_EPOCH;
    note(adapter.look_up(credential, "acme/app").await.err());
    note(adapter.actor(credential).await.err());
    note(adapter.may_write(credential, remote, "bob").await.err());
    let hook = adapter.create_hook(credential, remote, &spec).await;
    let id = hook
        .as_ref()
        .map_or("1", |hook| hook.id.as_str())
        .to_owned();
    note(hook.err());
    note(adapter.hooks(credential, remote, &spec.url).await.err());
    note(
        adapter
            .update_hook(credential, remote, &id, &spec)
            .await
            .err(),
    );
    note(adapter.ping_hook(credential, remote, &id).await.err());
    let attempts = adapter.hook_attempts(credential, remote, &id, since).await;
    let attempt = attempts
        .as_ref()
        .map_or("1", |all| all[0].id.as_str())
        .to_owned();
    note(attempts.err());
    note(
        adapter
            .redeliver(credential, remote, &id, &attempt)
            .await
            .err(),
    );
    note(adapter.delete_hook(credential, remote, &id).await.err());
    note(
        adapter
            .file(credential, remote, "main", "services.yaml", None)
            .await
            .err(),
    );
    note(
        adapter
            .set_status(credential, remote, &sha, &status)
            .await
            .err(),
    );
    note(
        adapter
            .find_comment(credential, remote, &thread, "x")
            .await
            .err(),
    );
    let comment = adapter
        .create_comment(credential, remote, &thread, "hello")
        .await;
    let id = comment.as_ref().map_or("1", String::as_str).to_owned();
    note(comment.err());
    note(
        adapter
            .update_comment(credential, remote, &id, "hello again")
            .await
            .err(),
    );
    note(adapter.acknowledge(credential, remote, &id).await.err());
    said
}

#[tokio::test]
async fn every_request_is_one_that_github_describes() {
    let scene = Scene::start().await;
    let kinds = [
        scene.ada.clone(),
        scene.fine("ada", &EVERYTHING),
        scene.app(&EVERYTHING),
    ];
    for credential in &kinds {
        assert_eq!(everything(&scene, credential).await, [""; 0]);
    }
    let world = scene.github.world();
    let exchanges = world.exchanges.clone().unwrap_or_default();
    drop(world);
    if let Some(asked) = operations(&exchanges) {
        let expected = ALL.iter().chain(&MORE).map(|text| (*text).to_owned());
        assert_eq!(asked, expected.collect());
    }
}

#[tokio::test]
async fn no_error_and_no_debug_form_holds_a_secret() {
    let scene = Scene::start().await;
    let app = scene.app(&EVERYTHING);
    let wrong = scene.classic("eve", &[]);
    let mut said = Vec::new();
    for fault in [None, Some(422), Some(403), Some(404), Some(500)] {
        for credential in [&scene.ada, &app, &wrong] {
            if let Some(status) = fault {
                scene
                    .github
                    .world()
                    .switch_on("", Fault::Echo(status), 1000);
            }
            said.push(format!("{credential:?}"));
            said.extend(everything(&scene, credential).await);
            scene.github.world().switch_off();
        }
    }
    assert!(said.len() > 100, "{}", said.len());
    let mut secrets = scene.github.world().secrets();
    secrets.push(("the webhook's secret", "the-webhook-secret".to_owned()));
    for (what, secret) in secrets {
        let held = said.iter().find(|text| text.contains(secret.trim()));
        assert_eq!(held, None, "{what}");
    }
    let shown = said.iter().any(|text| text.contains("***"));
    assert!(shown, "GitHub's words are shown, without what was sent");
}
