//! Schedules: a due time makes one run, whether the server was off or several replicas see it, and nobody outside can
//! say that one is due.
use std::collections::{BTreeMap, BTreeSet};

use ck8s_proto::ingress::v1::{Delivery, DeliveryState};
use ck8s_tests::{Setup, Webhook, World, until};
use serde_json::json;
use sqlx::PgPool;

/// Due once a year: not while a test runs.
const SERVICES: &str = "version: 1
triggers:
  - name: yearly
    on: { event: schedule, cron: \"0 3 1 1 *\", timezone: Europe/Berlin }
    run: { command: x, concurrency: \"{event}-{branch}\" }
";

/// So many schedules are due at the same time, half of them every minute.
const SCHEDULES: i64 = 40;
/// How often two replicas start at the same time, and so look at the same time what is due.
const RACES: usize = 5;

async fn world(services: &str) -> (World, String) {
    let world = World::start(Setup::without_worker()).await;
    world.admin.project("shop", 2).await;
    let added = world.admin.repository("shop", "acme/one", 501, services);
    let (_, secret) = added.await;
    (world, secret)
}

/// Starts the server again, which then sees the new schedules. They are not due for what lies before.
async fn restart_and_see(world: &mut World, schedules: i64) {
    world.server.program.kill();
    world.restart().await;
    until("the schedules are seen", async || {
        let seen = sqlx::query_scalar("SELECT count(*) FROM ingress.schedules");
        let seen: i64 = seen.fetch_one(&world.owner).await.expect("read");
        (seen == schedules).then_some(())
    })
    .await;
    assert!(world.admin.all_deliveries().await.is_empty());
}

/// Returns how many schedules are due up to now, whatever their delay.
async fn past_schedules(owner: &PgPool) -> i64 {
    let past = "SELECT count(*) FROM ingress.schedules WHERE last_due < now() - interval '2 years'";
    sqlx::query_scalar(past)
        .fetch_one(owner)
        .await
        .expect("read")
}

/// Makes it so that the server was off for three years.
async fn stop_for_years(owner: &PgPool) {
    let stopped = "UPDATE ingress.schedules SET last_due = now() - interval '3 years'";
    let stopped = sqlx::query(stopped).execute(owner).await.expect("written");
    assert_ne!(stopped.rows_affected(), 0);
}

async fn caught_up(world: &World) -> Vec<Delivery> {
    until("the schedule has caught up", async || {
        (past_schedules(&world.owner).await == 0).then_some(())
    })
    .await;
    until("every delivery is handled", async || {
        let all = world.admin.all_deliveries().await;
        let is_handled = |delivery: &Delivery| delivery.state() != DeliveryState::Received;
        all.iter().all(is_handled).then_some(all)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_over_a_server_that_was_off_makes_one_run_whichever_replica_sees_it() {
    let (mut world, _) = world(SERVICES).await;
    restart_and_see(&mut world, 1).await;

    world.server.program.kill();
    stop_for_years(&world.owner).await;
    world.restart().await;
    let deliveries = caught_up(&world).await;
    let [delivery] = deliveries.as_slice() else {
        panic!("one delivery: {deliveries:?}");
    };
    assert_eq!(delivery.state(), DeliveryState::RunCreated, "{delivery:?}");
    assert_eq!(
        (delivery.event.as_str(), delivery.sender.as_str()),
        ("schedule", "schedule")
    );
    let runs = world.admin.all_runs("").await;
    let [run] = runs.as_slice() else {
        panic!("one run: {runs:?}");
    };
    let trigger = run.trigger.as_ref().expect("a trigger");
    assert_eq!(
        (
            trigger.name.as_str(),
            trigger.actor.as_str(),
            trigger.r#ref.as_str()
        ),
        ("yearly", "schedule", "main")
    );
    let spec = run.spec.as_ref().expect("a spec");
    assert_eq!(spec.concurrency_group, "schedule-main");

    // As if the server had died before it noted that the delivery exists: another replica makes it again.
    stop_for_years(&world.owner).await;
    let _replica = world.replica("replica", &[]).await;
    let again = caught_up(&world).await;
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(world.admin.all_runs("").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_that_race_for_due_times_make_one_run_of_each() {
    let triggers = (0..SCHEDULES).map(|nr| {
        let cron = if nr % 2 == 0 {
            "0 3 1 1 *"
        } else {
            "* * * * *"
        };
        let on = format!("{{ event: schedule, cron: \"{cron}\" }}");
        format!("  - {{ name: t{nr}, on: {on}, run: {{ command: x }} }}\n")
    });
    let triggers: String = triggers.collect();
    let (mut world, _) = world(&format!("version: 1\ntriggers:\n{triggers}")).await;
    restart_and_see(&mut world, SCHEDULES).await;
    let mut replica = world.replica("replica", &[]).await;
    for _ in 0..RACES {
        world.server.program.kill();
        replica.program.kill();
        stop_for_years(&world.owner).await;
        // Both look what is due as soon as they start.
        world.server.restart();
        replica.restart();
        world.server.serves().await;
        replica.serves().await;
        caught_up(&world).await;
    }
    let deliveries = world.admin.all_deliveries().await;
    let mut due_times: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for delivery in &deliveries {
        assert_eq!(delivery.run_ids.len(), 1, "{delivery:?}");
        let key = delivery.delivery_id.strip_prefix("schedule:t");
        let (trigger, due) = key.and_then(|key| key.split_once('~')).expect("a key");
        let is_new = due_times.entry(trigger).or_default().insert(due);
        assert!(is_new, "twice: {delivery:?}");
    }
    assert_eq!(
        due_times.len(),
        usize::try_from(SCHEDULES).expect("a count")
    );
    for (trigger, due_times) in &due_times {
        let is_yearly = trigger.parse::<i64>().expect("a number") % 2 == 0;
        assert!(
            !is_yearly || due_times.len() == 1,
            "{trigger}: {due_times:?}"
        );
    }
    let runs = world.admin.all_runs("").await;
    let of: BTreeSet<&str> = runs.iter().map(|run| run.delivery_id.as_str()).collect();
    assert_eq!((runs.len(), of.len()), (deliveries.len(), deliveries.len()));
    println!(
        "{RACES} races, {} runs of {SCHEDULES} schedules",
        runs.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_webhook_says_that_a_schedule_is_due() {
    let (world, secret) = world(SERVICES).await;
    let payload = json!({
        "schedule": { "trigger": "yearly", "due": "2026-01-01T02:00:00Z" },
        "ref": "refs/heads/main",
        "repository": { "id": 501, "full_name": "acme/one", "owner": { "id": 2, "type": "User" } },
        "sender": { "login": "ada", "id": 2, "type": "User" },
    });
    let webhook = Webhook::new("schedule", payload.to_string().into_bytes(), &secret);
    let answer = webhook.send_to(&world.ready.url).await.expect("an answer");
    assert_eq!(answer.status, 202);
    let ours = webhook.with("x-github-delivery", "schedule:yearly");
    let answer = ours.send_to(&world.ready.url).await.expect("an answer");
    assert_eq!(answer.status, 400, "{answer:?}");
    let deliveries = world.admin.all_deliveries().await;
    let [delivery] = deliveries.as_slice() else {
        panic!("one delivery: {deliveries:?}");
    };
    assert_eq!(delivery.state(), DeliveryState::Ignored);
    assert_eq!(
        delivery.reason,
        "only ck8s itself says that a schedule is due"
    );
    assert!(world.admin.all_runs("").await.is_empty());
}
