//! The ends of runs that the server decides on.
use super::*;
use crate::domain::{LeasePhase, RunEnd};

async fn end(world: &World, run: RunId) -> Option<RunEnd> {
    let mut tx = world.pool.begin().await.unwrap();
    let outcome = Outcome::of(RunReason::CanceledByUser);
    let ended = store::run_end::end(&mut tx, run, &outcome, "user:mona")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    ended
}

#[tokio::test]
async fn a_run_that_waits_leaves_the_queue_when_it_ends() {
    let world = world().await;
    let run = world.grouped_run("deploy");
    world.queue(&run).await;
    let ended = end(&world, run.id).await.expect("it had not ended");
    assert_eq!(ended.project, world.project);
    assert_eq!(ended.group.as_deref(), Some("deploy"));
    assert!(ended.lease.is_none());
    let stored = world.run(run.id).await;
    assert_eq!(stored.state, RunState::Canceled);
    assert_eq!(stored.reason, Some(RunReason::CanceledByUser));
    let claim = world.claim(vec![placement(1, "w1")]).await;
    assert!(claim.leases.is_empty());
    assert_eq!(world.events(run.id).await, ["run.created", "run.finished"]);
}

#[tokio::test]
async fn the_slot_of_a_run_that_ends_is_releasing() {
    let world = world().await;
    let lease = world.running(1).await;
    let ended = end(&world, lease.lease.run_id).await.unwrap();
    assert_eq!(ended.lease, Some((lease.lease, Some(worker("w1")))));
    let held = world.leases().await;
    assert_eq!(held[0].phase, LeasePhase::Releasing);
}

#[tokio::test]
async fn a_run_ends_once() {
    let world = world().await;
    let run = world.new_run();
    world.queue(&run).await;
    assert!(end(&world, run.id).await.is_some());
    assert!(end(&world, run.id).await.is_none());
    assert!(end(&world, RunId::new()).await.is_none());
    assert_eq!(world.events(run.id).await, ["run.created", "run.finished"]);
}

#[tokio::test]
async fn a_run_that_waited_too_long_is_found_with_its_attempt() {
    let world = world().await;
    let mut run = world.new_run();
    run.spec.timeouts.unscheduled = 0;
    world.queue(&run).await;
    world.queue(&world.new_run()).await;
    let mut conn = world.conn().await;
    let expired = store::run_end::expired_in_queue(&mut conn).await.unwrap();
    assert_eq!(expired, [(run.id, 1)]);
}

#[tokio::test]
async fn a_workload_past_its_deadline_is_found_with_what_it_was_doing() {
    let world = world().await;
    let starting = world.lease(&world.new_run(), 1).await;
    let running = world.running(2).await;
    world.releasing(3).await;
    let mut conn = world.conn().await;
    assert!(
        store::run_end::past_deadline(&mut conn)
            .await
            .unwrap()
            .is_empty()
    );
    world
        .change("UPDATE runs.leases SET deadline = now() - interval '1 second'")
        .await;
    let mut found = store::run_end::past_deadline(&mut conn).await.unwrap();
    found.sort_by_key(|(run, _)| *run);
    let expected = [
        (starting.lease.run_id, LeasePhase::Starting),
        (running.lease.run_id, LeasePhase::Running),
    ];
    assert_eq!(found, expected);
}
