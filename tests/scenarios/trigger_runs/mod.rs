//! Every trigger that a delivery matches makes one run: at once, many at a time, and over crashes of the server.
mod kills;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use ck8s_proto::{
    ingress::v1::{Delivery, DeliveryState},
    repositories::v1 as pb,
    runs::v1::{Run, RunReason, RunState},
};
use ck8s_tests::{Setup, Webhook, World, new_id, until};
use futures::future::join_all;

use crate::{reporting::push, repositories};

/// The triggers of the file, in its order; a fifth stands behind one that stops.
const TRIGGERS: [&str; 4] = ["build", "audit", "lint", "last"];
const SERVICES: &str = "version: 1
defaults: { command: x }
triggers:
  - { name: build, on: { event: push } }
  - { name: audit, on: { event: push, branches: main } }
  - { name: other, on: { event: issues } }
  - { name: lint, on: { event: push } }
  - { name: last, on: { event: push }, stop: true }
  - { name: never, on: { event: push } }
";
const SHA: &str = "dddddddddddddddddddddddddddddddddddddddd";
const DELIVERIES: usize = 100;

/// Starts a server without a worker, with a repository that was added by hand. Returns the repository's id and secret.
async fn by_hand(services: &str) -> (World, String, String) {
    let world = World::start(Setup::without_worker()).await;
    world.admin.project("shop", 2).await;
    let added = world.admin.repository("shop", "acme/one", 501, services);
    let (repository, secret) = added.await;
    (world, repository.id, secret)
}

fn webhook(secret: &str) -> Webhook {
    Webhook::new("push", push(SHA).to_string().into_bytes(), secret)
}

/// Sends a webhook until it is acknowledged, over crashes of the server.
async fn send(webhook: Webhook, url: String) {
    loop {
        match webhook.send_to(&url).await {
            Ok(answer) if matches!(answer.status, 200 | 202) => return,
            Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
            Err(_) => {}
        }
        // A client waits a moment before it tries again.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until so many deliveries are handled, and returns them.
async fn handled(world: &World, count: usize) -> Vec<Delivery> {
    until("every delivery is handled", async || {
        let all = world.admin.all_deliveries().await;
        let is_handled = |delivery: &Delivery| delivery.state() != DeliveryState::Received;
        (all.len() == count && all.iter().all(is_handled)).then_some(all)
    })
    .await
}

/// Returns the name of a run's trigger.
fn name(run: &Run) -> &str {
    run.trigger.as_ref().map_or("", |trigger| &trigger.name)
}

/// Checks that each delivery has a run of each trigger, lists them in the file's order, and that there are no others.
async fn assert_each_has_its_runs(world: &World, deliveries: &[Delivery], triggers: &[&str]) {
    let runs = world.admin.all_runs("").await;
    assert_eq!(runs.len(), deliveries.len() * triggers.len());
    let runs: HashMap<&str, &Run> = runs.iter().map(|run| (run.id.as_str(), run)).collect();
    for delivery in deliveries {
        assert_eq!(delivery.state(), DeliveryState::RunCreated, "{delivery:?}");
        assert_eq!(delivery.reason, "");
        assert_eq!(delivery.run_id, delivery.run_ids[0]);
        let listed = delivery.run_ids.iter().map(|id| runs[id.as_str()]);
        let listed: Vec<&str> = listed
            .inspect(|run| assert_eq!(run.delivery_id, delivery.id))
            .map(name)
            .collect();
        assert_eq!(listed, triggers);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn four_triggers_that_match_one_push_make_four_runs_and_four_statuses() {
    let (github, token) = repositories::github(SERVICES).await;
    let world = World::start(Setup::without_worker().github(&github)).await;
    world.admin.project("shop", 2).await;
    repositories::add(&world, "shop", "acme/one", &token).await;
    let sha = {
        let mut at_github = github.world();
        at_github.repository(501).push("main", &[("a", Some("b"))])
    };
    assert_eq!(github.emit(501, "push", &push(&sha)).await, [202]);
    let deliveries = handled_pushes(&world).await;
    assert_each_has_its_runs(&world, &deliveries, &TRIGGERS).await;
    let runs = world.admin.all_runs("").await;
    let shown = until("each run has a status", async || {
        let shown = github.world().repository(501).shown_statuses(&sha);
        (shown.len() == TRIGGERS.len()).then_some(shown)
    })
    .await;
    let shown: BTreeMap<String, String> = shown
        .into_iter()
        .map(|(context, status)| (context, status.target_url))
        .collect();
    let page = |run: &Run| format!("{}/#/runs/{}", world.ready.url, run.id);
    let expected = runs.iter();
    let expected: BTreeMap<String, String> = expected
        .map(|run| (format!("ck8s/{}", name(run)), page(run)))
        .collect();
    assert_eq!(shown, expected);
}

/// Waits until the pushes are handled: GitHub sends a ping, too.
async fn handled_pushes(world: &World) -> Vec<Delivery> {
    until("the push is handled", async || {
        let all = world.admin.all_deliveries().await;
        let pushes = all.into_iter().filter(|delivery| delivery.event == "push");
        let pushes: Vec<Delivery> = pushes.collect();
        let is_handled = |delivery: &Delivery| delivery.state() != DeliveryState::Received;
        (!pushes.is_empty() && pushes.iter().all(is_handled)).then_some(pushes)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_has_one_comment_about_all_runs_of_a_delivery() {
    let services = "version: 1
defaults: { command: x }
triggers:
  - { name: first, on: { event: issue_comment, comment: /run } }
  - { name: second, on: { event: issue_comment, comment: /run } }
";
    let (github, token) = repositories::github(services).await;
    let world = World::start(Setup::without_worker().github(&github)).await;
    world.admin.project("shop", 2).await;
    repositories::add(&world, "shop", "acme/one", &token).await;
    let payload = repositories::comment(501, "acme/one", "ada", "User");
    assert_eq!(github.emit(501, "issue_comment", &payload).await, [202]);
    let comment_with = async |texts: &[&str]| {
        until("the comment says it", async || {
            let all = github.world().repository(501).comments_in(1);
            let ours: Vec<_> = all.into_iter().filter(|comment| comment.by == 8).collect();
            assert!(ours.len() <= 1, "one comment: {ours:?}");
            let body = ours.into_iter().next()?.body;
            texts.iter().all(|text| body.contains(text)).then_some(body)
        })
        .await
    };
    let pending = ["**first** · pending", "**second** · pending"];
    let body = comment_with(&pending).await;
    let runs = world.admin.all_runs("").await;
    assert!(runs.iter().all(|run| body.contains(&run.id)), "{body}");
    let first = runs.iter().find(|run| name(run) == "first").unwrap();
    world.admin.cancel(&first.id).await.expect("is canceled");
    comment_with(&["**first** · canceled", "**second** · pending"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_deliveries_at_once_make_four_runs_each() {
    let (world, _, secret) = by_hand(SERVICES).await;
    let webhooks = (0..DELIVERIES).map(|_| send(webhook(&secret), world.ready.url.clone()));
    join_all(webhooks).await;
    let deliveries = handled(&world, DELIVERIES).await;
    assert_each_has_its_runs(&world, &deliveries, &TRIGGERS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_with_a_changed_file_makes_no_run_twice() {
    let trigger = |name: &str| format!("  - {{ name: {name}, on: {{ event: push }} }}\n");
    let file = |names: &[&str]| {
        let triggers: String = names.iter().map(|name| trigger(name)).collect();
        format!("version: 1\ndefaults: {{ command: x }}\ntriggers:\n{triggers}")
    };
    let (mut world, repository, secret) = by_hand(&file(&["a", "b"])).await;
    send(webhook(&secret), world.ready.url.clone()).await;
    handled(&world, 1).await;
    let update = pb::UpdateRepositoryRequest {
        request_id: new_id(),
        repository,
        services_text: file(&["c", "b", "a"]),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["services_text".to_owned()],
        }),
        ..Default::default()
    };
    let updated = world.admin.repositories().update_repository(update).await;
    updated.expect("is updated");
    // As if the server had died before it noted that the runs exist.
    sqlx::query("INSERT INTO ingress.waiting (delivery_id) SELECT id FROM ingress.deliveries")
        .execute(&world.owner)
        .await
        .expect("it waits again");
    world.server.program.kill();
    world.restart().await;
    let deliveries = handled(&world, 1).await;
    assert_each_has_its_runs(&world, &deliveries, &["c", "b", "a"]).await;
}

/// A run of the group with the same branch, for as long as it is the newest.
const SUPERSEDING: &str = "version: 1
defaults: { command: x, concurrency: { group: \"{branch}\", cancel_in_progress: true } }
triggers:
  - { name: build, on: { event: push } }
";

#[tokio::test(flavor = "multi_thread")]
async fn three_pushes_in_any_order_leave_the_newest_alive() {
    let (world, _, secret) = by_hand(SUPERSEDING).await;
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for (nr, order) in orders.iter().enumerate() {
        for push_nr in order {
            let commit = |nr: usize| nr.to_string().repeat(40);
            let mut payload = push(&commit(push_nr + 1));
            payload["before"] = commit(*push_nr).into();
            payload["ref"] = format!("refs/heads/branch-{nr}").into();
            payload["repository"]["pushed_at"] = (1_795_687_200 + 20 * push_nr).into();
            let body = payload.to_string().into_bytes();
            send(Webhook::new("push", body, &secret), world.ready.url.clone()).await;
            handled(&world, world.admin.all_deliveries().await.len()).await;
        }
    }
    let runs = world.admin.all_runs("").await;
    assert_eq!(runs.len(), 3 * orders.len());
    for (nr, order) in orders.iter().enumerate() {
        let of_branch = |run: &&Run| {
            let trigger = run.trigger.as_ref();
            trigger.is_some_and(|trigger| trigger.r#ref == format!("branch-{nr}"))
        };
        let (alive, ended): (Vec<_>, Vec<_>) = runs
            .iter()
            .filter(of_branch)
            .partition(|run| run.state() == RunState::Pending);
        let [newest] = alive.as_slice() else {
            panic!("order {order:?}: {alive:?}");
        };
        let trigger = newest.trigger.as_ref().expect("a trigger");
        assert_eq!(trigger.commit_sha, "3".repeat(40), "{order:?}");
        assert_eq!(ended.len(), 2);
        for run in ended {
            assert_eq!(run.reason(), RunReason::Superseded);
            let names_newer = |newer: &Run| run.id != newer.id && run.message.contains(&newer.id);
            assert!(runs.iter().any(names_newer), "{}", run.message);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runs_of_one_delivery_do_not_end_each_other() {
    let second = "  - { name: lint, on: { event: push } }\n";
    let (world, _, secret) = by_hand(&format!("{SUPERSEDING}{second}")).await;
    for alive in [2, 2] {
        send(webhook(&secret), world.ready.url.clone()).await;
        handled(&world, world.admin.all_deliveries().await.len()).await;
        let runs = world.admin.all_runs("").await;
        let pending = runs.iter().filter(|run| run.state() == RunState::Pending);
        assert_eq!(pending.count(), alive, "{runs:?}");
    }
    assert_eq!(world.admin.all_runs("").await.len(), 4);
}
