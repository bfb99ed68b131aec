//! Repositories that ck8s looks after at a GitHub: added, told of, asked about, changed, removed; and stopped at every step.
use std::time::Duration;

use ck8s_proto::{
    ingress::v1::{Delivery, DeliveryState},
    repositories::v1::{self as pb, AddRepositoryRequest, Repository, Standing},
};
use ck8s_tests::{
    Setup, Webhook, World, fresh,
    github::{self, Account, Fault, GitHub, GitHubWorld},
    labeled, until,
};
use serde_json::{Value, json};
use tonic::{Code, Status};

pub const SERVICES: &str = "version: 1
triggers:
  - name: label
    on: { event: issues, actions: [labeled], labels: [\"run:dev\"] }
    run: { command: \"true\" }
  - name: command
    on: { event: issue_comment, comment: /run }
    run: { command: \"true\" }
";
const FILE: &str = ".ck8s/services.yaml";

/// A GitHub with Ada, who owns three repositories with this services.yaml, and the robot that ck8s acts as; and the robot's token.
pub async fn github(services: &str) -> (GitHub, String) {
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

/// The same, and a server that knows it.
pub async fn scene() -> (GitHub, World, String) {
    let (github, token) = github(SERVICES).await;
    let world = World::start(Setup::without_worker().github(&github)).await;
    world.admin.project("shop", 2).await;
    world.admin.project("other", 2).await;
    (github, world, token)
}

pub fn request(project: &str, name: &str, token: &str) -> AddRepositoryRequest {
    AddRepositoryRequest {
        request_id: fresh(),
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

pub async fn add(world: &World, project: &str, name: &str, token: &str) -> Repository {
    try_add(world, project, name, token)
        .await
        .expect("is added")
}

async fn get(world: &World, name: &str) -> Repository {
    let request = pb::GetRepositoryRequest {
        repository: name.to_owned(),
    };
    let answer = world.admin.repositories().get_repository(request).await;
    answer
        .expect("it is there")
        .into_inner()
        .repository
        .unwrap()
}

pub async fn check(world: &World, name: &str) -> Vec<(String, Standing, String)> {
    let request = pb::CheckRepositoryRequest {
        repository: name.to_owned(),
    };
    let answer = world.admin.repositories().check_repository(request).await;
    let findings = answer.expect("it is checked").into_inner().findings;
    let told = findings
        .into_iter()
        .map(|f| (f.subject.clone(), f.standing(), f.message));
    told.collect()
}

pub fn secret(github: &GitHub, repository: u64) -> String {
    github.world().repository(repository).hooks[0]
        .secret
        .clone()
}

pub fn issue(repository: u64, name: &str) -> Value {
    let mut payload = labeled(i64::try_from(repository).unwrap(), name, 1, "run:dev");
    payload["sender"] = json!({ "login": "ada", "type": "User" });
    payload
}

pub fn comment(repository: u64, name: &str, login: &str, kind: &str) -> Value {
    json!({
        "action": "created",
        "repository": { "id": repository, "full_name": name, "html_url": "http://x/y" },
        "sender": { "login": login, "type": kind },
        "issue": { "number": 1, "title": "t", "user": { "login": "bob" } },
        "comment": { "id": 4711, "body": "/run now", "author_association": "NONE", "html_url": "http://x/y" },
    })
}

/// What became of the newest delivery of an event, once it is known.
async fn became(world: &World, event: &str, sender: &str) -> Delivery {
    until("the delivery is handled", async || {
        let all = world.admin.all_deliveries().await;
        let mut these = all.into_iter();
        these.find(|d| {
            d.event == event && d.sender == sender && d.state() != DeliveryState::Received
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_whole_at_once_and_each_has_a_secret_of_its_own() {
    let (github, world, token) = scene().await;
    let one = add(&world, "shop", "acme/one", &token).await;
    add(&world, "shop", "acme/two", &token).await;
    add(&world, "other", "acme/three", &token).await;
    assert_eq!(
        (one.external_id.as_str(), one.default_branch.as_str()),
        ("501", "main")
    );
    assert_eq!(one.services.unwrap().triggers.len(), 2);
    assert_eq!(one.services_problem, "");
    let mut secrets: Vec<String> = [501, 502, 503].map(|id| secret(&github, id)).to_vec();
    for id in [501, 502, 503] {
        let hooks = github.world().repository(id).hooks.clone();
        assert_eq!(hooks.len(), 1);
        assert!(hooks[0].active);
        assert_eq!(
            hooks[0].url,
            format!("{}/api/v1/webhooks/github", world.ready.url)
        );
        let name = ["acme/one", "acme/two", "acme/three"][usize::try_from(id - 501).unwrap()];
        assert_eq!(github.emit(id, "issues", &issue(id, name)).await, [202]);
    }
    until("each makes its run", async || {
        let all = world.admin.all_deliveries().await;
        let ran = all
            .iter()
            .filter(|d| d.state() == DeliveryState::RunCreated);
        (ran.count() == 3).then_some(())
    })
    .await;
    // A signature with another repository's secret, in the same project and in another.
    for other in [&secrets[1], &secrets[2]] {
        let body = issue(501, "acme/one").to_string().into_bytes();
        let mut http = ck8s_tests::Http::connect(&world.ready.url).await.unwrap();
        let answer = Webhook::new("issues", body, other).send(&mut http).await;
        assert_eq!(answer.unwrap().status, 401);
    }
    let found = check(&world, "acme/one").await;
    assert!(found.iter().all(|f| f.1 == Standing::Ok), "{found:#?}");

    for project in ["shop", "other"] {
        let refused = try_add(&world, project, "acme/one", &token)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");
        assert!(!refused.message().contains("shop"), "{refused:?}");
    }
    assert_eq!(github.world().repository(501).hooks.len(), 1);
    secrets.push(token);
    let all: Vec<(&str, &str)> = secrets.iter().map(|s| ("a secret", s.as_str())).collect();
    world.nowhere(&all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_token_lacks_is_named_and_nothing_is_made() {
    let (github, world, _) = scene().await;
    let weak = github
        .world()
        .fine_token("ada", 501, &[("metadata", "read"), ("contents", "read")]);
    let refused = try_add(&world, "shop", "acme/one", &weak)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("Webhooks: Read and write"),
        "{refused:?}"
    );
    let refused = try_add(&world, "shop", "acme/one", "ghp_nobody")
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().contains("looking up the repository"),
        "{refused:?}"
    );
    assert!(github.world().repository(501).hooks.is_empty());
    assert!(
        !world
            .admin
            .repositories_named()
            .await
            .contains(&"acme/one".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_addition_that_is_refused_on_the_way_is_undone_and_says_where() {
    let (github, world, token) = scene().await;
    for (path, step) in [
        ("/acme/one/hooks", "looking for hooks"),
        ("/pings", "pinging the hook"),
        ("/services.yaml", "reading services.yaml"),
    ] {
        github.world().switch_on(path, Fault::Status(422), 1);
        let refused = try_add(&world, "shop", "acme/one", &token)
            .await
            .unwrap_err();
        assert!(refused.message().contains(step), "{step}: {refused:?}");
        assert!(github.world().repository(501).hooks.is_empty(), "{step}");
        assert!(
            !world
                .admin
                .repositories_named()
                .await
                .contains(&"acme/one".to_owned())
        );
    }
    add(&world, "shop", "acme/one", &token).await;
    assert_eq!(github.world().repository(501).hooks.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_secret_counts_until_the_new_one_is_seen() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let old = secret(&github, 501);
    let request = pb::RotateWebhookSecretRequest {
        request_id: fresh(),
        repository: "acme/one".to_owned(),
        ..Default::default()
    };
    let mut service = world.admin.repositories();
    let answer = service.rotate_webhook_secret(request).await.unwrap();
    assert_eq!(answer.into_inner().webhook_secret, "", "it stays with ck8s");
    let new = secret(&github, 501);
    assert_ne!(old, new);
    for signed_with in [&old, &new] {
        let body = issue(501, "acme/one").to_string().into_bytes();
        let webhook = Webhook::new("issues", body, signed_with);
        let sent = webhook.send_to(&world.ready.url).await;
        assert_eq!(sent.unwrap().status, 202);
    }
    // Its ping showed that it is in use: the old one ends in minutes, not in a day.
    until("the old one is retired", async || {
        let until = get(&world, "acme/one").await.previous_secret_expire_time?;
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        (until.seconds - now <= 300).then_some(())
    })
    .await;
    world.nowhere(&[("old", &old), ("new", &new)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_is_not_heard_is_undone_and_says_what_github_says() {
    let (github, world, token) = scene().await;
    let blind = Setup::without_worker().github(&github);
    let nowhere = blind.env("CK8S_PUBLIC_URL", "http://127.0.0.1:9");
    let deaf = World::start(nowhere).await;
    deaf.admin.project("shop", 1).await;
    let refused = try_add(&deaf, "shop", "acme/one", &token)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused:?}");
    for word in [
        "waiting for the hook's ping",
        "http://127.0.0.1:9",
        "failed to connect",
    ] {
        assert!(refused.message().contains(word), "{word}: {refused:?}");
    }
    assert!(github.world().repository(501).hooks.is_empty());
    let named = deaf.admin.repositories_named().await;
    assert!(!named.contains(&"acme/one".to_owned()));
    // The same repository is nobody's, so that whoever is heard may add it.
    add(&world, "shop", "acme/one", &token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_twice_at_once_adds_once() {
    let (github, world, token) = scene().await;
    let request = request("shop", "acme/one", &token);
    let add = async || {
        let mut service = world.admin.repositories();
        service.add_repository(request.clone()).await
    };
    let (one, other) = tokio::join!(add(), add());
    for answer in [one, other] {
        match answer {
            Ok(added) => assert!(added.into_inner().repository.is_some()),
            Err(status) => assert_eq!(status.code(), Code::Aborted, "{status:?}"),
        }
    }
    let again = add().await.expect("the answer that was given");
    assert_eq!(again.into_inner().repository.unwrap().full_name, "acme/one");
    assert_eq!(github.world().repository(501).hooks.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_a_state_and_no_failure() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let limit = Fault::Spent(Duration::from_secs(8));
    github
        .world()
        .switch_on("/collaborators/ada/permission", limit, 1);
    let payload = comment(501, "acme/one", "ada", "User");
    assert_eq!(github.emit(501, "issue_comment", &payload).await, [202]);
    let waits = until("it says what it waits for", async || {
        let all = world.admin.all_deliveries().await;
        all.into_iter()
            .find(|d| d.sender == "ada" && !d.reason.is_empty())
    })
    .await;
    assert_eq!(waits.state(), DeliveryState::Received, "{waits:?}");
    assert!(
        waits.reason.contains("waits for GitHub until "),
        "{waits:?}"
    );
    let limited = get(&world, "acme/one").await;
    assert!(limited.wait_until.is_some(), "{limited:?}");
    let found = check(&world, "acme/one").await;
    let rate = found.iter().find(|f| f.0 == "rate_limit").unwrap();
    assert!(rate.2.starts_with("waits for GitHub until "), "{rate:?}");
    assert!(found.iter().all(|f| f.1 != Standing::Wrong), "{found:#?}");
    let ran = became(&world, "issue_comment", "ada").await;
    assert_eq!(ran.state(), DeliveryState::RunCreated, "{ran:?}");
    assert_eq!(ran.reason, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_read_and_a_broken_file_leaves_the_good_one_and_marks_its_commit() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let push = |sha: &str| {
        json!({
            "ref": "refs/heads/main", "after": sha,
            "repository": { "id": 501, "full_name": "acme/one" },
            "sender": { "login": "ada", "type": "User" }, "commits": [],
        })
    };
    let broken = github
        .world()
        .repository(501)
        .push("main", &[(FILE, Some("version: 1\ntriggers: 7\n"))]);
    github.emit(501, "push", &push(&broken)).await;
    let after = until("the problem is seen", async || {
        let after = get(&world, "acme/one").await;
        (!after.services_problem.is_empty()).then_some(after)
    })
    .await;
    assert_eq!(
        after.services.unwrap().triggers.len(),
        2,
        "the good one stays"
    );
    assert_eq!(after.services_commit, broken);
    until("the commit says so", async || {
        let shown = github.world().repository(501).shown_statuses(&broken);
        let status = shown.get("ck8s/services.yaml")?;
        (status.state == "error").then_some(())
    })
    .await;
    let found = check(&world, "acme/one").await;
    let wrong = found.iter().find(|f| f.0 == "services_yaml").unwrap();
    assert_eq!(wrong.1, Standing::Wrong, "{wrong:?}");

    let one = "version: 1\ntriggers: [{name: a, on: {event: push}, run: {command: x}}]\n";
    let good = github
        .world()
        .repository(501)
        .push("main", &[(FILE, Some(one))]);
    github.emit(501, "push", &push(&good)).await;
    until("the new one is in force", async || {
        let after = get(&world, "acme/one").await;
        let triggers = after.services?.triggers.len();
        (after.services_problem.is_empty() && triggers == 1).then_some(())
    })
    .await;

    let deaf = "version: 1\ntriggers: [{name: b, on: {event: star}, run: {command: x}}]\n";
    let deaf = [(FILE, Some(deaf))];
    github.world().repository(501).push("main", &deaf);
    let found = check(&world, "acme/one").await;
    let wrong = found.iter().find(|f| f.1 == Standing::Wrong).unwrap();
    assert!(wrong.2.contains("does not hear"), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_is_gone_is_named_and_mended_and_goes_with_its_repository() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    github.world().repository(501).hooks.clear();
    let found = check(&world, "acme/one").await;
    let hook = found.iter().find(|f| f.0 == "hook").unwrap();
    assert_eq!(hook.1, Standing::Wrong, "{hook:?}");
    let request = pb::MendRepositoryRequest {
        request_id: fresh(),
        repository: "acme/one".to_owned(),
    };
    world
        .admin
        .repositories()
        .mend_repository(request)
        .await
        .unwrap();
    assert_eq!(
        github.emit(501, "issues", &issue(501, "acme/one")).await,
        [202]
    );

    let remove = |name: &str| pb::RemoveRepositoryRequest {
        request_id: fresh(),
        repository: name.to_owned(),
    };
    let gone = world
        .admin
        .repositories()
        .remove_repository(remove("acme/one"))
        .await;
    assert_eq!(gone.unwrap().into_inner().hook_left, "");
    assert!(github.world().repository(501).hooks.is_empty());
    add(&world, "shop", "acme/two", &token).await;
    github.world().revoke(&token);
    let gone = world
        .admin
        .repositories()
        .remove_repository(remove("acme/two"))
        .await;
    let left = gone.unwrap().into_inner().hook_left;
    assert!(left.contains("does not know the credential"), "{left}");
    assert!(
        !world
            .admin
            .repositories_named()
            .await
            .contains(&"acme/two".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_is_turned_off_is_noticed_unasked() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    // As if ten minutes had gone.
    let looked_at = async |on: bool| {
        github.world().repository(501).hooks[0].active = on;
        sqlx::query("UPDATE repositories.repositories SET services_checked_at = now() - interval '11 minutes' WHERE external_id = '501'")
            .execute(&world.owner)
            .await
            .unwrap();
        until("it is noticed", async || {
            let problem = get(&world, "acme/one").await.hook_problem;
            (problem.is_empty() == on).then_some(problem)
        })
        .await
    };
    let problem = looked_at(false).await;
    assert!(problem.contains("is turned off"), "{problem}");
    looked_at(true).await;
    let told: Vec<String> = sqlx::query_scalar(
        "SELECT kind FROM audit.flow_events WHERE kind LIKE 'repository.hook_%' ORDER BY xact, seq",
    )
    .fetch_all(&world.owner)
    .await
    .unwrap();
    assert_eq!(told, ["repository.hook_lost", "repository.hook_found"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_posts_to_where_we_were_is_taken_along() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let (id, url) = {
        let mut at_github = github.world();
        let hook = &mut at_github.repository(501).hooks[0];
        let before = (hook.id, hook.url.clone());
        hook.url = "http://127.0.0.1:9/where/we/were".to_owned();
        before
    };
    let found = check(&world, "acme/one").await;
    let hook = found.iter().find(|f| f.0 == "hook").unwrap();
    assert_eq!(hook.1, Standing::Wrong, "{hook:?}");
    let request = pb::MendRepositoryRequest {
        request_id: fresh(),
        repository: "acme/one".to_owned(),
    };
    let mut service = world.admin.repositories();
    service.mend_repository(request).await.unwrap();
    let hooks = github.world().repository(501).hooks.clone();
    let all: Vec<_> = hooks.iter().map(|hook| (hook.id, &hook.url)).collect();
    assert_eq!(all, [(id, &url)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_is_followed_and_a_chosen_branch_stays() {
    let (github, world, token) = scene().await;
    let mut request = request("shop", "acme/one", &token);
    let release = [(FILE, Some(SERVICES))];
    github.world().repository(501).push("release", &release);
    request.default_branch = "release".to_owned();
    let mut service = world.admin.repositories();
    service.add_repository(request).await.expect("is added");
    add(&world, "shop", "acme/two", &token).await;
    for (id, name) in [(501, "acme/uno"), (502, "acme/due")] {
        let mut at_github = github.world();
        let repository = at_github.repository(id);
        repository.push("trunk", &release);
        repository.default_branch = "trunk".to_owned();
        repository.rename(name);
    }
    for (id, name, branch) in [(501, "acme/uno", "release"), (502, "acme/due", "trunk")] {
        let payload = json!({
            "action": "renamed",
            "repository": { "id": id, "full_name": name },
            "sender": { "login": "ada", "type": "User" },
        });
        assert_eq!(github.emit(id, "repository", &payload).await, [202]);
        until("it is followed", async || {
            let named = world.admin.repositories_named().await;
            named.contains(&name.to_owned()).then_some(())
        })
        .await;
        assert_eq!(get(&world, name).await.default_branch, branch);
    }
    for name in ["acme/uno", "acme/due"] {
        let found = check(&world, name).await;
        assert!(found.iter().all(|f| f.1 != Standing::Wrong), "{found:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_taken_the_name_is_not_taken_for_ours() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    {
        let mut at_github = github.world();
        at_github.repository(501).rename("acme/moved");
        let evil = "version: 1\ntriggers: [{name: evil, on: {event: push}, run: {command: x}}]\n";
        let other = github::Repository::new(600, "acme/one")
            .with("ada", "admin")
            .with("robot", "admin")
            .file(FILE, evil);
        at_github.repositories.insert(600, other);
    }
    let found = check(&world, "acme/one").await;
    let wrong: Vec<&str> = found
        .iter()
        .filter(|f| f.1 == Standing::Wrong)
        .map(|f| f.0.as_str())
        .collect();
    assert!(
        wrong.contains(&"name") && wrong.contains(&"services_yaml"),
        "{found:#?}"
    );
    let ours = get(&world, "acme/one").await.services.unwrap();
    assert_eq!(ours.triggers[0].name, "label", "the last good one stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_token_takes_over_and_the_old_one_may_go() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let rotate = |token: &str| pb::RotateCredentialRequest {
        request_id: fresh(),
        repository: "acme/one".to_owned(),
        credential: Some(pb::rotate_credential_request::Credential::Token(
            token.to_owned(),
        )),
    };
    let refused = world
        .admin
        .repositories()
        .rotate_credential(rotate("ghp_nobody"))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
    let fresh = github.world().classic_token("robot", &["repo"]);
    world
        .admin
        .repositories()
        .rotate_credential(rotate(&fresh))
        .await
        .unwrap();
    github.world().revoke(&token);
    let found = check(&world, "acme/one").await;
    assert!(found.iter().all(|f| f.1 != Standing::Wrong), "{found:#?}");
    world
        .nowhere(&[("the old token", &token), ("the new token", &fresh)])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_triggers_nothing_and_a_github_that_is_away_is_waited_for() {
    let (github, world, token) = scene().await;
    add(&world, "shop", "acme/one", &token).await;
    let say = async |login: &str, kind: &str| {
        let payload = comment(501, "acme/one", login, kind);
        assert_eq!(github.emit(501, "issue_comment", &payload).await, [202]);
    };
    say("bob", "User").await;
    let bob = became(&world, "issue_comment", "bob").await;
    assert_eq!(bob.state(), DeliveryState::Ignored);
    assert!(bob.reason.contains("needs write access"), "{}", bob.reason);
    say("robot", "User").await;
    let own = became(&world, "issue_comment", "robot").await;
    assert_eq!(own.state(), DeliveryState::Ignored);
    assert!(own.reason.contains("ck8s itself"), "{}", own.reason);
    say("dependabot[bot]", "Bot").await;
    let bot = became(&world, "issue_comment", "dependabot[bot]").await;
    assert_eq!(bot.state(), DeliveryState::Ignored);

    let path = "/collaborators/ada/permission";
    github.world().switch_on(path, Fault::Status(500), 4);
    say("ada", "User").await;
    until("GitHub was asked in vain", async || {
        let world = github.world();
        let mut calls = world.calls.iter();
        calls
            .any(|call| call.path.ends_with(path) && call.status == 500)
            .then_some(())
    })
    .await;
    let all = world.admin.all_deliveries().await;
    let ada = all.iter().find(|d| d.sender == "ada").unwrap();
    let waits = [DeliveryState::Received, DeliveryState::RunCreated];
    assert!(waits.contains(&ada.state()), "{}", ada.reason);
    until("its run is made", async || {
        let runs = world.admin.all_runs("").await;
        runs.into_iter()
            .find(|run| run.trigger.as_ref().is_some_and(|t| t.comment_id == "4711"))
    })
    .await;
}
