//! Leases without a worker.
use super::*;
use crate::domain::LeasePhase;

#[tokio::test]
async fn the_leases_of_a_silent_worker_are_orphaned() {
    let world = world().await;
    let lease = world.lease(&world.new_run(), 1).await;
    let mut conn = world.conn().await;
    assert_eq!(store::leases::orphan_expired(&mut conn).await.unwrap(), 0);
    world.connect(&hello("w1"), EXPIRED).await;
    assert_eq!(store::leases::orphan_expired(&mut conn).await.unwrap(), 1);
    let orphans = store::leases::orphans(&mut conn).await.unwrap();
    assert_eq!(orphans[0].lease, lease.lease);
    assert_eq!(orphans[0].worker, None);
    assert!(orphans[0].orphaned_seconds.is_some());
    let kinds = world.events(lease.lease.run_id).await;
    assert_eq!(kinds.last().map(String::as_str), Some("run.orphaned"));
    assert_eq!(store::leases::orphan_expired(&mut conn).await.unwrap(), 0);
}

#[tokio::test]
async fn a_takeover_raises_the_epoch_and_happens_once() {
    let world = world().await;
    let orphan = world.orphaned(1).await;
    let mut conn = world.conn().await;
    let taken = store::leases::take_over(&mut conn, orphan.lease, &worker("w2"))
        .await
        .unwrap()
        .expect("it was orphaned");
    assert_eq!(taken.epoch, orphan.lease.epoch.next());
    let late = store::leases::take_over(&mut conn, orphan.lease, &worker("w3")).await;
    assert_eq!(late.unwrap(), None, "somebody was faster");
    let held = of_worker(&mut conn, "w2").await;
    assert_eq!(held[0].lease, taken);
    let stale = LeaseHolder {
        lease: orphan.lease,
        worker: worker("w1"),
    };
    let end = outcome(RunState::Succeeded, RunReason::Completed);
    let matched = store::transitions::finished(&mut conn, &[(&stale, &end)]).await;
    assert!(matched.unwrap().is_empty(), "the worker before has lost it");
    let kinds = world.events(taken.run_id).await;
    assert_eq!(kinds.last().map(String::as_str), Some("run.taken_over"));
}

#[tokio::test]
async fn only_the_worker_that_holds_a_lease_can_lose_it() {
    let world = world().await;
    let lease = world.lease(&world.new_run(), 1).await;
    let mut conn = world.conn().await;
    store::leases::orphan(&mut conn, &worker("w2"), &[lease.lease.run_id], "no")
        .await
        .unwrap();
    assert!(store::leases::orphans(&mut conn).await.unwrap().is_empty());
    assert_eq!(world.leases().await.len(), 1);
}

#[tokio::test]
async fn a_lease_has_the_phase_of_its_workload() {
    let world = world().await;
    world.lease(&world.new_run(), 1).await;
    world.running(2).await;
    world.releasing(3).await;
    let mut leases = world.leases().await;
    leases.sort_by_key(|lease| lease.slot);
    let phases: Vec<LeasePhase> = leases.iter().map(|lease| lease.phase).collect();
    let expected = [
        LeasePhase::Starting,
        LeasePhase::Running,
        LeasePhase::Releasing,
    ];
    assert_eq!(phases, expected);
    assert!(leases.iter().all(|lease| lease.domain.is_process()));
}

#[tokio::test]
async fn the_end_of_a_workers_leases_is_known() {
    let world = world().await;
    let registration = world.connect(&hello("w1"), TTL).await;
    let mut conn = world.conn().await;
    let until = store::leases::lease_until(&mut conn, &worker("w1"))
        .await
        .unwrap();
    assert_eq!(until, Some(registration.lease_until));
    let none = store::leases::lease_until(&mut conn, &worker("w2"))
        .await
        .unwrap();
    assert_eq!(none, None);
}
