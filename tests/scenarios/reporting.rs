//! Reports of runs to GitHub: statuses, one comment in a thread, a reaction. Each is made once, also after a crash.
use std::time::Duration;

use ck8s_proto::repositories::v1 as pb;
use ck8s_tests::{Fault, github::Moment, until};
use serde_json::json;

use crate::repositories::{add, comment, scene};

pub(crate) fn push(sha: &str) -> serde_json::Value {
    json!({
        "ref": "refs/heads/main", "after": sha,
        "repository": { "id": 501, "full_name": "acme/one", "html_url": "http://x/y" },
        "sender": { "login": "ada", "type": "User" },
        "head_commit": { "id": sha, "message": "m", "url": "http://x/y" }, "commits": [],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_shows_the_state_of_its_run() {
    let (github, world, token) = scene().await;
    let services = "version: 1\ntriggers: [{name: build, on: {event: push}, run: {command: x}}]\n";
    let sha = github
        .world()
        .repository(501)
        .push("main", &[(".ck8s/services.yaml", Some(services))]);
    add(&world, "shop", "acme/one", &token).await;
    assert_eq!(github.emit(501, "push", &push(&sha)).await, [202]);
    let shown = async |state: &str| {
        until("the commit shows it", async || {
            let shown = github.world().repository(501).shown_statuses(&sha);
            let status = shown.get("ck8s/build")?.clone();
            (status.state == state).then_some(status)
        })
        .await
    };
    let pending = shown("pending").await;
    let run = until("the run is made", async || {
        world.admin.all_runs("").await.pop()
    })
    .await;
    assert_eq!(
        pending.target_url,
        format!("{}/#/runs/{}", world.ready.url, run.id)
    );
    world.admin.cancel(&run.id).await.expect("is canceled");
    let ended = shown("error").await;
    assert!(ended.description.contains("canceled"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_has_one_comment_also_after_a_kill_and_the_request_has_a_reaction() {
    let (github, mut world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let request = {
        let mut at_github = github.world();
        let id = at_github.next_id();
        at_github.repository(501).say(id, 1, 7, "/run now")
    };
    let mut payload = comment(501, "acme/one", "ada", "User");
    payload["comment"]["id"] = json!(request);
    let ours = |github: &ck8s_tests::GitHub| {
        let all = github.world().repository(501).comments_in(1);
        all.into_iter().filter(|c| c.by == 8).collect::<Vec<_>>()
    };
    // The response to the new comment is slow: the server is killed before it knows that it made one.
    github.world().switch_on(
        "/issues/1/comments",
        Fault::Delay(Duration::from_millis(400)),
        4,
    );
    assert_eq!(github.emit(501, "issue_comment", &payload).await, [202]);
    until("it is made", async || {
        (!ours(&github).is_empty()).then_some(())
    })
    .await;
    world.restart().await;
    let run = until("the run is there", async || {
        world.admin.all_runs("").await.pop()
    })
    .await;
    world.admin.cancel(&run.id).await.expect("is canceled");
    let updated = until("it is updated in place", async || {
        let updated = ours(&github).pop()?;
        updated.body.contains("canceled").then_some(updated)
    })
    .await;
    assert_eq!(ours(&github).len(), 1, "one comment");
    assert!(updated.body.contains(&run.id), "{}", updated.body);
    let all = github.world().repository(501).comments_in(1);
    let theirs = all.into_iter().find(|c| c.id == request).unwrap();
    assert_eq!(theirs.reactions, [(8, "eyes".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_revoked_token_could_not_report_is_reported_with_the_next_one() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let payload = comment(501, "acme/one", "ada", "User");
    assert_eq!(github.emit(501, "issue_comment", &payload).await, [202]);
    let ours = async |text: &str| {
        until("the issue says so", async || {
            let all = github.world().repository(501).comments_in(1);
            all.into_iter().find(|c| c.by == 8 && c.body.contains(text))
        })
        .await
    };
    ours("pending").await;
    github.world().revoke(&token);
    let run = world.admin.all_runs("").await.pop().unwrap();
    world.admin.cancel(&run.id).await.expect("is canceled");
    until("GitHub refuses it", async || {
        let world = github.world();
        let mut calls = world.calls.iter();
        calls.any(|call| call.status == 401).then_some(())
    })
    .await;
    let fresh = github.world().classic_token("robot", &["repo"]);
    let rotate = pb::RotateCredentialRequest {
        request_id: ck8s_tests::new_id(),
        repository: "acme/one".to_owned(),
        credential: Some(pb::rotate_credential_request::Credential::Token(fresh)),
    };
    let mut service = world.admin.repositories();
    service.rotate_credential(rotate).await.unwrap();
    ours("canceled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_is_used_at_once_though_the_old_one_is_refused_after_it_was_set() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let other_token = github.world().classic_token("robot", &["repo"]);
    add(&world, "other", "acme/two", &other_token).await;
    let ours = async |repository: u64, text: &str| {
        until("the issue says so", async || {
            let all = github.world().repository(repository).comments_in(1);
            all.into_iter().find(|c| c.by == 8 && c.body.contains(text))
        })
        .await
    };
    let payload = comment(501, "acme/one", "ada", "User");
    assert_eq!(github.emit(501, "issue_comment", &payload).await, [202]);
    ours(501, "pending").await;
    let run = world.admin.all_runs("").await.pop().unwrap();

    // GitHub refuses the old token, and its answer is on its way until the new token is set.
    github.world().revoke(&token);
    github.world().hold(0, Moment::After);
    world.admin.cancel(&run.id).await.expect("is canceled");
    let held = until("the answer is held", async || github.world().held()).await;
    assert!(held.contains("/issues/comments/"), "{held}");
    let new_token = github.world().classic_token("robot", &["repo"]);
    let rotate = pb::RotateCredentialRequest {
        request_id: ck8s_tests::new_id(),
        repository: "acme/one".to_owned(),
        credential: Some(pb::rotate_credential_request::Credential::Token(new_token)),
    };
    let mut service = world.admin.repositories();
    service.rotate_credential(rotate).await.unwrap();
    // Notifications come in order: who reports this run has received the one of the new token.
    let payload = comment(502, "acme/two", "ada", "User");
    assert_eq!(github.emit(502, "issue_comment", &payload).await, [202]);
    ours(502, "pending").await;
    github.world().release_held();
    ours(501, "canceled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_during_a_report_is_reported_too() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let slow = Fault::Delay(Duration::from_millis(1500));
    github.world().switch_on("/issues/1/comments", slow, 1);
    let payload = comment(501, "acme/one", "ada", "User");
    assert_eq!(github.emit(501, "issue_comment", &payload).await, [202]);
    until("the report is under way", async || {
        let world = github.world();
        let mut calls = world.calls.iter();
        calls
            .any(|call| call.path.ends_with("/reactions"))
            .then_some(())
    })
    .await;
    let run = world.admin.all_runs("").await.pop().unwrap();
    world.admin.cancel(&run.id).await.expect("is canceled");
    until("its end is reported", async || {
        let all = github.world().repository(501).comments_in(1);
        all.into_iter()
            .find(|c| c.by == 8 && c.body.contains("canceled"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_shows_its_newest_run() {
    let (github, world, token) = scene().await;
    let services = "version: 1\ntriggers: [{name: build, on: {event: push}, run: {command: x}}]\n";
    let sha = github
        .world()
        .repository(501)
        .push("main", &[(".ck8s/services.yaml", Some(services))]);
    add(&world, "shop", "acme/one", &token).await;
    for _ in 0..2 {
        assert_eq!(github.emit(501, "push", &push(&sha)).await, [202]);
    }
    let runs = until("both are there", async || {
        let runs = world.admin.all_runs("").await;
        (runs.len() == 2).then_some(runs)
    })
    .await;
    let older = runs.iter().map(|run| &run.id).min().unwrap();
    let newer = runs.iter().map(|run| &run.id).max().unwrap();
    let shown = async |run: &str, state: &str| {
        until("the commit shows it", async || {
            let shown = github.world().repository(501).shown_statuses(&sha);
            let status = shown.get("ck8s/build")?;
            (status.target_url.ends_with(run) && status.state == state).then_some(())
        })
        .await;
    };
    shown(newer, "pending").await;
    world.admin.cancel(older).await.expect("is canceled");
    world.admin.cancel(newer).await.expect("is canceled");
    shown(newer, "error").await;
    let statuses = github.world().repository(501).statuses.clone();
    let mut after = statuses
        .iter()
        .skip_while(|s| !s.target_url.ends_with(newer));
    assert!(after.all(|s| s.target_url.ends_with(newer)), "{statuses:?}");
}
