//! Who may trigger what: the matrix that docs/access.md shows, the commit of a command, and the secrets of a fork's
//! run.
mod changed_files;
mod deeds;
mod matrix;
mod pull_requests;

use ck8s_proto::ingress::v1::{Delivery, DeliveryState};
use ck8s_tests::{
    Http, Webhook, World,
    github::{Account, GitHub, GitHubWorld, PullRequest, Repository},
    until,
};
use serde_json::{Value, json};

/// The repository that ck8s manages.
const MANAGED: u64 = 501;
/// A fork of it.
const FORK: u64 = 588;
/// The number of a pull request of a branch of our own.
const OWN_PULL_REQUEST: u64 = 9;
/// The number of a pull request of the fork.
const FORKS_PULL_REQUEST: u64 = 10;
/// The commit at the head of both.
const HEAD: &str = "cccccccccccccccccccccccccccccccccccccccc";

/// Starts a GitHub with people of every role, a repository with this services.yaml and two pull requests.
async fn github(services: &str) -> (GitHub, String) {
    let mut repository = Repository::new(MANAGED, "acme/one")
        .with("robot", "admin")
        .with("olga", "admin")
        .with("mia", "write")
        .with("cole", "write")
        .with("carl", "read")
        .thread(1)
        .file(".ck8s/services.yaml", services);
    for (number, of) in [(OWN_PULL_REQUEST, MANAGED), (FORKS_PULL_REQUEST, FORK)] {
        repository.open_pull_request(number, pull_request(of));
    }
    let mut world = GitHubWorld::new("http://localhost/callback")
        .with(Account::new(8, "robot", "robot@example.test"))
        .having(repository)
        .having(Repository::new(FORK, "ann/one"));
    for (id, login) in [
        (11, "olga"),
        (12, "mia"),
        (13, "cole"),
        (14, "carl"),
        (15, "nora"),
    ] {
        world = world.with(Account::new(id, login, &format!("{login}@example.test")));
    }
    let github = GitHub::start(world).await;
    let token = github.world().classic_token("robot", &["repo"]);
    (github, token)
}

fn pull_request(of: u64) -> PullRequest {
    PullRequest {
        branch: "main".to_owned(),
        commit: HEAD.to_owned(),
        repository: Some(of),
        base: "main".to_owned(),
        by: 12,
        updated_at: 1_700_000_000,
    }
}

/// Returns a comment of a person on a pull request, which was written long after the pull request changed.
fn comment(repository: u64, sender: &Value, number: u64, body: &str) -> Value {
    json!({
        "action": "created",
        "sender": sender,
        "repository": {"id": repository, "full_name": "acme/one", "owner": {"login": "acme", "id": 2, "type": "Organization"}},
        "issue": {"number": number, "title": "Tidy up", "user": {"login": "zoe", "id": 99},
            "pull_request": {"url": "https://github.test/pulls/1"}},
        "comment": {"id": 4711, "body": body, "user": sender, "author_association": sender["association"],
            "created_at": "2026-11-27T12:00:00Z", "html_url": "https://github.test/c/1"},
    })
}

/// Sends a webhook and returns its delivery id.
async fn send(http: &mut Http, event: &str, payload: &Value, secret: &str) -> String {
    let webhook = Webhook::new(event, payload.to_string().into_bytes(), secret);
    let answer = webhook.send(http).await.expect("an answer");
    assert_eq!(answer.status, 202, "{answer:?}");
    webhook.delivery().to_owned()
}

/// Waits until every delivery is handled, and returns them.
async fn handled(world: &World) -> Vec<Delivery> {
    until("every delivery is handled", async || {
        let all = world.admin.all_deliveries().await;
        all.iter()
            .all(|delivery| delivery.state() != DeliveryState::Received)
            .then_some(all)
    })
    .await
}
