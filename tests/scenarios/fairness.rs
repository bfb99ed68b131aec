//! Fairness: a project with many waiting runs does not hold up another one.
use std::time::{Duration, Instant};

use ck8s_tests::{
    ManualWorker, Setup, Webhook, World, database, labeled,
    manual_worker::{hello, lease, running},
    script, until,
};
use futures::{StreamExt, stream};

/// Runs that one median is taken of.
const ROUNDS: usize = 15;
/// Runs of the big project that wait.
const WAITING_RUNS: usize = 500;

const SERVICES: &str = "
version: 1
triggers:
  - name: label
    on: { event: issues, actions: [labeled], labels: [\"run:dev\"] }
    run: { command: sleep 60 }
";

/// Returns the median time from the call to the grant of a run of this project.
async fn median(world: &World, project: &str, hand: &mut ManualWorker) -> Duration {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let before = Instant::now();
        let run = world.admin.start(project, script("true")).await;
        let grant = hand.grant_of(&run.id).await;
        times.push(before.elapsed());
        hand.work_off(&grant).await;
    }
    times.sort();
    times[ROUNDS / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_starts_as_fast_while_500_runs_of_another_project_wait() {
    let world = World::start(Setup::without_worker()).await;
    world.admin.project("big", 4).await;
    world.admin.project("small", 4).await;
    let mut hand = ManualWorker::connect(&world.as_worker(), hello("w", 8)).await;
    median(&world, "small", &mut hand).await; // fills caches and opens connections
    let idle = median(&world, "small", &mut hand).await;

    let (_, secret) = world.admin.repository("big", "big/app", 77, SERVICES).await;
    let sending = stream::iter(0..WAITING_RUNS + 4).map(|i| {
        let body = labeled(77, "big/app", i64::try_from(i).unwrap(), "run:dev")
            .to_string()
            .into_bytes();
        let webhook = Webhook::new("issues", body, &secret);
        let url = &world.ready.url;
        async move { webhook.send_to(url).await.unwrap().status }
    });
    let statuses: Vec<u16> = sending.buffer_unordered(64).collect().await;
    assert!(statuses.len() == WAITING_RUNS + 4 && statuses.iter().all(|s| *s == 202));
    for _ in 0..4 {
        let grant = hand.grant().await;
        assert_eq!(grant.project_slug, "big");
        hand.tell(lease(&grant), running()).await;
    }
    let waiting = i64::try_from(WAITING_RUNS).unwrap();
    until("500 runs wait", async || {
        (database::queued(&world.owner).await == waiting).then_some(())
    })
    .await;

    let beside = median(&world, "small", &mut hand).await;
    let ratio = beside.as_secs_f64() / idle.as_secs_f64();
    println!(
        "from the call to the grant, median of {ROUNDS}: idle {idle:?}, beside {WAITING_RUNS} waiting runs {beside:?}: ratio {ratio:.2}"
    );
    assert!(
        ratio < 5.0 && beside < Duration::from_millis(250),
        "ratio {ratio:.2}, {beside:?}"
    );
    hand.beat().await;
    assert!(!hand.has_grant(), "the big project has no more slots");
}
