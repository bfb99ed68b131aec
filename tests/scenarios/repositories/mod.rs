//! Repositories that ck8s manages at a GitHub: added, changed, removed, and who may trigger. This file has what these
//! tests share.
mod add;
mod by_hand;
mod changes;
mod hooks;
mod write_access;

use std::time::Duration;

use ck8s_proto::{
    ingress::v1::{Delivery, DeliveryState},
    repositories::v1::{self as pb, AddRepositoryRequest, Repository, Standing},
};
use ck8s_tests::{
    Setup, Webhook, World,
    github::{self, Account, Fault, GitHub, GitHubWorld},
    labeled, new_id, until,
};
use serde_json::{Value, json};
use tonic::{Code, Status};

pub(crate) const SERVICES: &str = "version: 1
triggers:
  - name: label
    on: { event: issues, actions: [labeled], labels: [\"run:dev\"] }
    run: { command: \"true\" }
  - name: command
    on: { event: issue_comment, comment: /run }
    run: { command: \"true\" }
";
const FILE: &str = ".ck8s/services.yaml";

/// Starts a GitHub with Ada, who owns three repositories with this services.yaml, and with the robot that ck8s acts as.
/// Returns it with the robot's token.
pub(crate) async fn github(services: &str) -> (GitHub, String) {
    let repository = |id, name| {
        github::Repository::new(id, name)
            .with("ada", "admin")
            .with("robot", "admin")
            .with("bob", "read")
            .thread(1)
            .file(FILE, services)
    };
    let world = GitHubWorld::new("http://localhost/callback")
        .with(Account::new(7, "ada", "ada@example.test"))
        .with(Account::new(8, "robot", "robot@example.test"))
        .with(Account::new(9, "bob", "bob@example.test"))
        .having(repository(501, "acme/one"))
        .having(repository(502, "acme/two"))
        .having(repository(503, "acme/three"));
    let github = GitHub::start(world).await;
    let token = github.world().classic_token("robot", &["repo"]);
    (github, token)
}

/// Starts a GitHub, and a server that knows it.
pub(crate) async fn scene() -> (GitHub, World, String) {
    let (github, token) = github(SERVICES).await;
    let world = World::start(Setup::without_worker().github(&github)).await;
    world.admin.project("shop", 2).await;
    world.admin.project("other", 2).await;
    (github, world, token)
}

pub(crate) fn request(project: &str, name: &str, token: &str) -> AddRepositoryRequest {
    AddRepositoryRequest {
        request_id: new_id(),
        project: project.to_owned(),
        full_name: name.to_owned(),
        credential: Some(pb::add_repository_request::Credential::Token(
            token.to_owned(),
        )),
        ..Default::default()
    }
}

async fn try_add(
    world: &World,
    project: &str,
    name: &str,
    token: &str,
) -> Result<Repository, Status> {
    let request = request(project, name, token);
    let answer = world.admin.repositories().add_repository(request).await?;
    let answer = answer.into_inner();
    assert_eq!(answer.webhook_secret, "", "the secret stays with ck8s");
    Ok(answer.repository.expect("a repository"))
}

pub(crate) async fn add(world: &World, project: &str, name: &str, token: &str) -> Repository {
    try_add(world, project, name, token)
        .await
        .expect("is added")
}

async fn get(world: &World, name: &str) -> Repository {
    let request = pb::GetRepositoryRequest {
        repository: name.to_owned(),
        project_ids: Vec::new(),
    };
    let answer = world.admin.repositories().get_repository(request).await;
    answer
        .expect("it is there")
        .into_inner()
        .repository
        .unwrap()
}

pub(crate) async fn check(world: &World, name: &str) -> Vec<(String, Standing, String)> {
    let request = pb::CheckRepositoryRequest {
        repository: name.to_owned(),
    };
    let answer = world.admin.repositories().check_repository(request).await;
    let findings = answer.expect("it is checked").into_inner().findings;
    let findings = findings
        .into_iter()
        .map(|f| (f.subject.clone(), f.standing(), f.message));
    findings.collect()
}

pub(crate) fn secret(github: &GitHub, repository: u64) -> String {
    github.world().repository(repository).hooks[0]
        .secret
        .clone()
}

pub(crate) fn issue(repository: u64, name: &str) -> Value {
    let mut payload = labeled(i64::try_from(repository).unwrap(), name, 1, "run:dev");
    payload["sender"] = json!({ "login": "ada", "type": "User" });
    payload
}

pub(crate) fn comment(repository: u64, name: &str, login: &str, kind: &str) -> Value {
    json!({
        "action": "created",
        "repository": { "id": repository, "full_name": name, "html_url": "http://x/y" },
        "sender": { "login": login, "type": kind },
        "issue": { "number": 1, "title": "t", "user": { "login": "bob" } },
        "comment": { "id": 4711, "body": "/run now", "author_association": "NONE", "html_url": "http://x/y" },
    })
}

/// Returns the newest delivery of an event once it was handled.
async fn handled(world: &World, event: &str, sender: &str) -> Delivery {
    until("the delivery is handled", async || {
        let all = world.admin.all_deliveries().await;
        let mut these = all.into_iter();
        these.find(|d| {
            d.event == event && d.sender == sender && d.state() != DeliveryState::Received
        })
    })
    .await
}
