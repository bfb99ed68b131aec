//! An app's installation as the credential: it does everything that a repository needs, with tokens that expire.
use ck8s_proto::repositories::v1::{self as pb, Standing};
use ck8s_tests::{new_id, until};
use serde_json::json;

use crate::repositories::{check, comment, issue, scene, secret};

const EVERYTHING: [(&str, &str); 6] = [
    ("metadata", "read"),
    ("contents", "read"),
    ("repository_hooks", "write"),
    ("statuses", "write"),
    ("issues", "write"),
    ("pull_requests", "write"),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_does_everything_that_a_token_does() {
    let (github, world, _) = scene().await;
    let app = github.world().install("ck8s", &[501], &EVERYTHING);
    let request = |name: &str| pb::AddRepositoryRequest {
        request_id: new_id(),
        project: "shop".to_owned(),
        full_name: name.to_owned(),
        credential: Some(pb::add_repository_request::Credential::App(pb::App {
            app_id: app.app_id.to_string(),
            installation_id: app.id.to_string(),
            private_key: app.private_key.clone(),
        })),
        ..Default::default()
    };
    let mut service = world.admin.repositories();
    let refused = service.add_repository(request("acme/two")).await;
    let refused = refused.expect_err("it is not installed there");
    assert!(refused.message().contains("installation"), "{refused:?}");
    let added = service.add_repository(request("acme/one")).await;
    let added = added.expect("is added").into_inner().repository.unwrap();
    assert_eq!(added.credential(), pb::CredentialKind::App);
    let found = check(&world, "acme/one").await;
    assert!(found.iter().all(|f| f.1 == Standing::Ok), "{found:#?}");

    // GitHub revokes every token of the installation: ck8s gets another one.
    github.world().revoke_installed();
    assert_eq!(
        github.emit(501, "issues", &issue(501, "acme/one")).await,
        [202]
    );
    let bot = app.bot_id;
    until("the issue says how it stands", async || {
        let all = github.world().repository(501).comments_in(1);
        all.into_iter().find(|c| c.by == bot)
    })
    .await;
    // What the app itself does triggers no run.
    let mut own = comment(501, "acme/one", "ck8s[bot]", "Bot");
    own["comment"]["id"] = json!(7);
    assert_eq!(github.emit(501, "issue_comment", &own).await, [202]);
    let refused = until("it is refused", async || {
        let all = world.admin.all_deliveries().await;
        all.into_iter()
            .find(|d| d.sender == "ck8s[bot]" && !d.reason.is_empty())
    })
    .await;
    assert!(refused.run_id.is_empty(), "{refused:?}");

    // The key, the tokens that were made with it and the webhook's secret are in no table, no log and no event.
    let hook = secret(&github, 501);
    let mut secrets = github.world().secrets();
    secrets.push(("the webhook's secret", hook));
    // One line of a key in PEM would give it away.
    let line = app.private_key.lines().nth(1).unwrap().to_owned();
    secrets.push(("a line of the private key", line));
    let secrets: Vec<_> = secrets.iter().map(|(n, s)| (*n, s.as_str())).collect();
    assert!(secrets.len() >= 5, "{}", secrets.len());
    world.nowhere(&secrets).await;
}
