//! A command on a pull request runs on its head at that moment, and a fork's run gets no secrets that nobody gave it.
use ck8s_proto::runs::v1::Run;
use ck8s_tests::Setup;

use super::*;
use crate::repositories::{add, secret};

const COMMAND: &str = "version: 1
triggers:
  - name: command
    on: { event: issue_comment, comment: /run }
    run: { command: \"true\", concurrency: \"{ref}\" }
";
const SECRET_VALUE: &str = "a-secret-of-the-repository";

pub(super) async fn run_of(world: &World, delivery: &str) -> Result<Run, String> {
    let deliveries = handled(world).await;
    let delivery = deliveries.into_iter().find(|d| d.delivery_id == delivery);
    let delivery = delivery.expect("it is stored");
    match delivery.run_id.as_str() {
        "" => Err(delivery.reason),
        run => Ok(world.admin.run(run).await),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_on_the_head_of_its_pull_request_and_reports_there() {
    let (github, token) = github(COMMAND).await;
    let world = World::start(Setup::without_worker().github(&github)).await;
    world.admin.project("shop", 4).await;
    add(&world, "shop", "acme/one", &token).await;
    let secret = secret(&github, MANAGED);
    let mut http = Http::connect(&world.ready.url).await.unwrap();
    let mia = json!({"login": "mia", "id": 12, "type": "User"});
    let mut say = async |number, body: &str| {
        let payload = comment(MANAGED, &mia, number, body);
        send(&mut http, "issue_comment", &payload, &secret).await
    };

    let own = say(OWN_PULL_REQUEST, "/run").await;
    let trigger = run_of(&world, &own).await.unwrap();
    assert_eq!(trigger.spec.unwrap().concurrency_group, "main");
    let trigger = trigger.trigger.unwrap();
    assert_eq!(
        (trigger.commit_sha.as_str(), trigger.r#ref.as_str()),
        (HEAD, "main")
    );
    assert_eq!(
        (trigger.head_repository.as_str(), trigger.secrets_withheld),
        ("", false)
    );
    until("the head shows the run", async || {
        let shown = github.world().repository(MANAGED).shown_statuses(HEAD);
        shown.contains_key("ck8s/command").then_some(())
    })
    .await;

    let forks = say(FORKS_PULL_REQUEST, "/run").await;
    let run = run_of(&world, &forks).await.unwrap();
    assert_eq!(
        run.spec.unwrap().concurrency_group,
        format!("fork:{FORK}:main")
    );
    let trigger = run.trigger.unwrap();
    assert_eq!(trigger.commit_sha, HEAD);
    assert_eq!(trigger.head_repository, "ann/one");
    assert!(!trigger.secrets_withheld, "a member asked for this commit");

    // Somebody pushes to the fork after the comment.
    let newer = "d".repeat(40);
    let pushed = PullRequest {
        commit: newer.clone(),
        updated_at: 1_800_000_000,
        ..pull_request(FORK)
    };
    github
        .world()
        .repository(MANAGED)
        .open_pull_request(FORKS_PULL_REQUEST, pushed);
    let late = say(FORKS_PULL_REQUEST, "/run").await;
    let refused = run_of(&world, &late).await.unwrap_err();
    assert!(
        refused.contains("may be newer than the command"),
        "{refused}"
    );
    let other = say(FORKS_PULL_REQUEST, "/run ccccccc").await;
    let refused = run_of(&world, &other).await.unwrap_err();
    assert!(refused.contains("the head is ddddddd now"), "{refused}");
    let short = say(FORKS_PULL_REQUEST, "/run ddddddd").await;
    let refused = run_of(&world, &short).await.unwrap_err();
    assert!(
        refused.contains(&format!("name the whole commit ({newer})")),
        "{refused}"
    );
    let named = say(FORKS_PULL_REQUEST, &format!("/run {newer}")).await;
    let run = run_of(&world, &named).await.unwrap();
    assert_eq!(run.trigger.unwrap().commit_sha, newer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_command_learns_no_head_and_runs_nothing() {
    let (github, token) = github(COMMAND).await;
    let world = World::start(Setup::without_worker().github(&github)).await;
    world.admin.project("shop", 4).await;
    add(&world, "shop", "acme/one", &token).await;
    let secret = secret(&github, MANAGED);
    let mut http = Http::connect(&world.ready.url).await.unwrap();
    let nora = json!({"login": "nora", "id": 15, "type": "User", "association": "OWNER"});
    let payload = comment(MANAGED, &nora, OWN_PULL_REQUEST, "/run");
    let delivery = send(&mut http, "issue_comment", &payload, &secret).await;
    let refused = run_of(&world, &delivery).await.unwrap_err();
    assert!(refused.contains("needs write access"), "{refused}");
    let calls = github.world().calls.clone();
    assert!(calls.iter().all(|call| !call.path.contains("/pulls/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_gets_no_secrets_whatever_its_spec_names() {
    let services = "version: 1
defaults: { command: 'echo \"secret [${TOKEN:-none}]\"', secrets: [TOKEN] }
triggers:
  - { name: allow, on: { event: pull_request, actions: [opened], forks: allow } }
  - { name: trust, on: { event: pull_request, actions: [reopened], forks: allow_with_secrets } }
";
    let world = World::start(Setup::with_worker(2)).await;
    world.admin.project("shop", 4).await;
    let (repository, secret) = world
        .admin
        .repository("shop", "acme/one", 601, services)
        .await;
    world
        .admin
        .set_secret(&repository.id, "TOKEN", SECRET_VALUE)
        .await;
    let mut http = Http::connect(&world.ready.url).await.unwrap();
    for (action, of, output) in [
        ("opened", 601, "secret [***]"),
        ("opened", 88, "secret [none]"),
        ("reopened", 88, "secret [***]"),
    ] {
        let mia = json!({"login": "mia", "id": 12, "type": "User"});
        let payload = json!({"action": action, "sender": mia, "repository": {"id": 601, "full_name": "acme/one"},
            "pull_request": {"number": 3, "user": mia, "author_association": "MEMBER", "base": {"ref": "main"},
                "head": {"ref": "main", "sha": HEAD, "repo": {"id": of, "full_name": "ann/one"}}}});
        let delivery = send(&mut http, "pull_request", &payload, &secret).await;
        let run = run_of(&world, &delivery).await.unwrap();
        let ended = world.admin.wait_end(&run.id).await;
        assert_eq!(
            world.admin.output(&run.id).await.trim(),
            output,
            "{action} {of}"
        );
        let withheld = ended.trigger.unwrap().secrets_withheld;
        assert_eq!(withheld, output.contains("none"));
    }
    // Repeating a run by hand gives it no more.
    let runs = world.admin.all_runs("").await;
    let forks = runs
        .iter()
        .find(|run| run.trigger.as_ref().unwrap().secrets_withheld);
    let again = world.admin.retry(&forks.expect("one").id).await;
    world.admin.wait_end(&again.id).await;
    assert_eq!(world.admin.output(&again.id).await.trim(), "secret [none]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_refuses_a_forks_code_holds_up_no_other() {
    let services = "version: 1
defaults: { command: x }
triggers:
  - { name: ours, on: { event: issue_comment } }
  - { name: theirs, on: { event: issue_comment, forks: allow } }
";
    let (github, token) = github(services).await;
    let world = World::start(Setup::without_worker().github(&github)).await;
    world.admin.project("shop", 4).await;
    add(&world, "shop", "acme/one", &token).await;
    let secret = secret(&github, MANAGED);
    let mut http = Http::connect(&world.ready.url).await.unwrap();
    let mia = json!({"login": "mia", "id": 12, "type": "User"});
    let payload = comment(MANAGED, &mia, FORKS_PULL_REQUEST, "well done");
    send(&mut http, "issue_comment", &payload, &secret).await;
    let deliveries = handled(&world).await;
    let delivery = deliveries.iter().find(|d| d.event == "issue_comment");
    let delivery = delivery.expect("it is stored");
    assert_eq!(delivery.state(), DeliveryState::RunCreated);
    assert!(
        delivery.reason.starts_with("trigger \"ours\" "),
        "{delivery:?}"
    );
    let [run] = delivery.run_ids.as_slice() else {
        panic!("one run: {delivery:?}");
    };
    let run = world.admin.run(run).await;
    assert_eq!(run.trigger.expect("a trigger").name, "theirs");
}
