//! `paths` of a trigger where the delivery does not list the files: GitHub is asked, after the acknowledgement.
use ck8s_tests::Setup;

use super::{pull_requests::run_of, *};
use crate::repositories::{add, secret};

const PATHS: &str = "version: 1
triggers:
  - name: pull-request
    on: { event: pull_request, paths: src/** }
    run: { command: \"true\" }
  - name: push
    on: { event: push, paths: src/** }
    run: { command: \"true\" }
";
/// More files than GitHub states of two commits.
const MANY_FILES: usize = 301;

fn pull_request_opened(number: u64) -> Value {
    json!({
        "action": "opened",
        "sender": {"login": "mia", "id": 12, "type": "User"},
        "repository": {"id": MANAGED, "full_name": "acme/one", "default_branch": "main"},
        "pull_request": {"number": number, "title": "Tidy up", "user": {"login": "mia", "id": 12},
            "author_association": "MEMBER", "base": {"ref": "main"},
            "head": {"ref": "main", "sha": HEAD, "repo": {"id": MANAGED, "full_name": "acme/one"}}},
    })
}

fn pushed(before: &str, after: &str) -> Value {
    json!({
        "ref": "refs/heads/topic", "before": before, "after": after, "commits": [],
        "sender": {"login": "mia", "id": 12, "type": "User"},
        "repository": {"id": MANAGED, "full_name": "acme/one", "default_branch": "main"},
        "head_commit": {"id": after, "message": "Work", "added": [], "modified": [], "removed": []},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_a_delivery_does_not_list_are_asked_for() {
    let (github, token) = github(PATHS).await;
    let world = World::start(Setup::without_worker().github(&github)).await;
    world.admin.project("shop", 4).await;
    add(&world, "shop", "acme/one", &token).await;
    let secret = secret(&github, MANAGED);
    let mut http = Http::connect(&world.ready.url).await.unwrap();
    let push = |branch: &str, files: &[(&str, Option<&str>)]| {
        github.world().repository(MANAGED).push(branch, files)
    };

    let offered = push("offered", &[("src/a.rs", Some("fn main() {}"))]);
    github.world().repository(MANAGED).open_pull_request(
        OWN_PULL_REQUEST,
        PullRequest {
            commit: offered,
            ..pull_request(MANAGED)
        },
    );
    let payload = pull_request_opened(OWN_PULL_REQUEST);
    let fits = send(&mut http, "pull_request", &payload, &secret).await;
    run_of(&world, &fits).await.expect("its files fit");

    let base = github.world().repository(MANAGED).head("main");
    github
        .world()
        .repository(MANAGED)
        .branches
        .insert("topic".to_owned(), base.clone());
    let docs = push("topic", &[("docs/a.md", Some("hello"))]);
    let none = "0".repeat(40);
    let ignored = send(&mut http, "push", &pushed(&none, &docs), &secret).await;
    let reason = run_of(&world, &ignored).await.unwrap_err();
    assert_eq!(
        reason,
        "trigger \"push\" wants a changed file in \"src/**\", none of 1 fits"
    );
    let code = push("topic", &[("src/b.rs", Some("//"))]);
    let fits = send(&mut http, "push", &pushed(&docs, &code), &secret).await;
    let run = run_of(&world, &fits).await.expect("a file fits");
    assert_eq!(run.trigger.unwrap().note, "");

    let names: Vec<String> = (0..MANY_FILES).map(|n| format!("docs/{n}")).collect();
    let files: Vec<(&str, Option<&str>)> = names.iter().map(|n| (n.as_str(), Some("x"))).collect();
    let many = push("topic", &files);
    let bounded = send(&mut http, "push", &pushed(&code, &many), &secret).await;
    let run = run_of(&world, &bounded).await.expect("others may fit");
    let note = run.trigger.unwrap().note;
    assert!(
        note.contains("names only 300 of the changed files"),
        "{note}"
    );
}
