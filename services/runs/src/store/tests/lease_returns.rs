//! Leases that go back.
use super::*;
use crate::domain::{LeaseReturn, ReturnReason, ReturnedLease};

const LOST: ReturnReason = ReturnReason::WorkloadLost(RunReason::WorkloadLost);

async fn give_back(
    world: &World,
    lease: LeaseRef,
    worker: Option<&WorkerId>,
    reason: ReturnReason,
) -> Option<ReturnedLease> {
    let mut conn = world.conn().await;
    let back = LeaseReturn {
        lease,
        worker,
        reason,
        message: "it went",
    };
    store::lease_returns::return_lease(&mut conn, back)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_lost_workload_waits_for_its_next_attempt_at_its_old_place() {
    let world = world().await;
    let lease = world.lease(&world.new_run(), 1).await;
    let returned = give_back(&world, lease.lease, Some(&lease.worker), LOST).await;
    let Some(ReturnedLease::Queued(queued)) = returned else {
        panic!("it has an attempt left: {returned:?}");
    };
    assert_eq!(queued.position, lease.position);
    let run = world.run(lease.lease.run_id).await;
    assert_eq!((run.state, run.attempt), (RunState::Pending, 2));
    let claim = world.claim(vec![placement(1, "w1")]).await;
    assert_eq!(claim.leases[0].lease.epoch, lease.lease.epoch.next());
    let kinds = world.events(run.id).await;
    assert!(kinds.contains(&"run.requeued".to_owned()));
}

#[tokio::test]
async fn a_run_without_attempts_left_has_failed() {
    let world = world().await;
    let mut new = world.new_run();
    new.spec.max_attempts = 1;
    let lease = world.lease(&new, 1).await;
    let returned = give_back(&world, lease.lease, Some(&lease.worker), LOST).await;
    assert!(matches!(returned, Some(ReturnedLease::Ended { .. })));
    let run = world.run(new.id).await;
    assert_eq!(run.state, RunState::Failed);
    assert_eq!(run.reason, Some(RunReason::WorkloadLost));
    assert!(world.leases().await.is_empty(), "its slot is free");
    let kinds = world.events(new.id).await;
    assert_eq!(kinds.last().map(String::as_str), Some("run.finished"));
}

#[tokio::test]
async fn a_lease_that_never_started_costs_no_attempt() {
    let world = world().await;
    let mut new = world.new_run();
    new.spec.max_attempts = 1;
    let lease = world.lease(&new, 1).await;
    let worker = Some(&lease.worker);
    let returned = give_back(&world, lease.lease, worker, ReturnReason::NeverStarted).await;
    assert!(matches!(returned, Some(ReturnedLease::Queued(_))));
    assert_eq!(world.run(new.id).await.attempt, 1);
}

#[tokio::test]
async fn a_lease_of_a_run_that_has_ended_only_frees_its_slot() {
    let world = world().await;
    let lease = world.releasing(1).await;
    let returned = give_back(&world, lease.lease, Some(&lease.worker), LOST).await;
    assert!(matches!(returned, Some(ReturnedLease::Ended { .. })));
    let run = world.run(lease.lease.run_id).await;
    assert_eq!(run.state, RunState::Succeeded);
    assert!(world.leases().await.is_empty());
    let kinds = world.events(run.id).await;
    assert_eq!(kinds.last().map(String::as_str), Some("run.released"));
}

#[tokio::test]
async fn a_stale_return_changes_nothing() {
    let world = world().await;
    let lease = world.lease(&world.new_run(), 1).await;
    let stale = LeaseRef {
        epoch: lease.lease.epoch.next(),
        ..lease.lease
    };
    let worker = Some(&lease.worker);
    assert!(give_back(&world, stale, worker, LOST).await.is_none());
    let orphaned = give_back(&world, lease.lease, None, LOST).await;
    assert!(orphaned.is_none(), "its worker holds it");
    assert_eq!(world.leases().await.len(), 1);
    assert_eq!(world.run(lease.lease.run_id).await.attempt, 1);
}

#[tokio::test]
async fn an_orphan_goes_back_without_a_worker() {
    let world = world().await;
    let orphan = world.orphaned(1).await;
    let reason = ReturnReason::WorkloadLost(RunReason::WorkerLost);
    let returned = give_back(&world, orphan.lease, None, reason).await;
    assert!(matches!(returned, Some(ReturnedLease::Queued(_))));
    assert_eq!(world.run(orphan.lease.run_id).await.attempt, 2);
}
