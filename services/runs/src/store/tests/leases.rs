//! Leases without a worker.
use super::*;
use crate::domain::{LeasePhase, LeaseReturn, ReturnReason};

#[tokio::test]
async fn the_leases_of_a_silent_worker_are_orphaned() {
    let world = world().await;
    let lease = world.lease(&world.new_run(), 1).await;
    let mut conn = world.conn().await;
    assert_eq!(store::leases::orphan_expired(&mut conn).await.unwrap(), 0);
    world.connect(&hello("w1"), EXPIRED).await;
    assert_eq!(store::leases::orphan_expired(&mut conn).await.unwrap(), 1);
    let orphans = orphans(&mut conn).await;
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
    assert_eq!(taken.running, None, "its workload had not started");
    let taken = taken.lease;
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
    store::leases::orphan(&mut conn, &worker("w2"), &[lease.lease.run_id], None, "no")
        .await
        .unwrap();
    assert!(orphans(&mut conn).await.is_empty());
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

#[tokio::test]
async fn the_time_of_a_second_attempt_counts_from_its_own_start() {
    let world = world().await;
    let first = world.running(1).await;
    world
        .change("UPDATE runs.runs SET started_at = now() - interval '1 day'")
        .await;
    let mut tx = world.pool.begin().await.unwrap();
    let lost = LeaseReturn {
        lease: first.lease,
        worker: Some(&first.worker),
        reason: ReturnReason::WorkloadLost(RunReason::WorkloadLost),
        message: "gone",
    };
    store::lease_returns::return_lease(&mut tx, lost)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let second = world.claim(vec![placement(1, "w1")]).await.leases[0].clone();
    let mut conn = world.conn().await;
    let holder = holder(&second);
    let running = store::transitions::RunningWorkload {
        holder: &holder,
        workload: "pid 8",
        adopted: false,
    };
    store::transitions::running(&mut conn, &[running])
        .await
        .unwrap();
    store::leases::orphan(
        &mut conn,
        &second.worker,
        &[second.lease.run_id],
        None,
        "gone",
    )
    .await
    .unwrap();
    let taken = store::leases::take_over(&mut conn, second.lease, &worker("w2"))
        .await
        .unwrap()
        .expect("it was orphaned");
    let elapsed = taken.running.expect("it runs").elapsed;
    assert!(elapsed < Duration::from_secs(60), "{elapsed:?}");
}

#[tokio::test]
async fn the_orphans_of_a_cluster_that_is_gone_hold_up_no_others() {
    let world = world().await;
    world.orphaned(9000).await;
    // Older than that one, more than a page, and nobody can do anything about them.
    world
        .change(
            "INSERT INTO runs.leases (run_id, project_id, slot, pool_id, executor_domain, epoch, state, attempt, max_attempts, rank, seq,
                 start_timeout, run_timeout, deadline, orphaned_at)
             SELECT gen_random_uuid(), project_id, n, pool_id, 'kubernetes:gone', 1, 'releasing', 1, 1, 0, n, 60, 60, now(),
                 now() - interval '1 hour'
             FROM runs.leases, generate_series(1, 1200) n",
        )
        .await;
    let mut conn = world.conn().await;
    let found = orphans(&mut conn).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].domain.is_process());
    let gone = OrphanFilter {
        domains: vec![ExecutorDomain::from("kubernetes:gone".to_owned())],
        process_gone: Duration::ZERO,
        takeover_timeout: TAKEOVER,
    };
    let found = store::leases::orphans(&mut conn, &gone).await.unwrap();
    assert_eq!(
        found.len(),
        501,
        "a page of that cluster's, and the other one"
    );
    assert!(found.iter().any(|lease| lease.domain.is_process()));
}

#[tokio::test]
async fn a_run_is_not_given_up_while_a_worker_of_its_cluster_is_somewhere() {
    let world = world().await;
    let orphan = world.orphaned(1).await;
    world
        .change("UPDATE runs.leases SET executor_domain = 'kubernetes:a'")
        .await;
    let mut elsewhere = hello("k");
    elsewhere.domain = ExecutorDomain::from("kubernetes:a".to_owned());
    let mut conn = world.conn().await;
    world.connect(&elsewhere, TTL).await;
    let abandoned = store::leases::lock_abandoned(&mut conn, orphan.lease).await;
    assert!(!abandoned.unwrap(), "that worker is about to take it over");
    store::workers::set_draining(&mut conn, &elsewhere.id, true)
        .await
        .unwrap();
    let abandoned = store::leases::lock_abandoned(&mut conn, orphan.lease).await;
    assert!(
        abandoned.unwrap(),
        "a worker that drains takes nothing over"
    );
    store::leases::take_over(&mut conn, orphan.lease, &elsewhere.id)
        .await
        .unwrap();
    let abandoned = store::leases::lock_abandoned(&mut conn, orphan.lease).await;
    assert!(!abandoned.unwrap(), "it has a worker");
}

#[tokio::test]
async fn a_process_counts_as_gone_only_after_its_own_lease() {
    let world = world().await;
    let lease = world.lease(&world.new_run(), 1).await;
    let until = world.connect(&hello("w1"), TTL).await.lease_until;
    // Another process of the same name.
    let other = world.connect(&hello("w1"), TTL).await;
    assert!(!other.resumed);
    assert_eq!(other.predecessor_until, Some(until));
    let mut conn = world.conn().await;
    let runs = [lease.lease.run_id];
    store::leases::orphan(
        &mut conn,
        &lease.worker,
        &runs,
        other.predecessor_until,
        "gone",
    )
    .await
    .unwrap();
    assert!(
        orphans(&mut conn).await.is_empty(),
        "its guard may not have ended it"
    );
    world
        .change("UPDATE runs.leases SET orphaned_at = orphaned_at - interval '61 seconds'")
        .await;
    assert_eq!(orphans(&mut conn).await.len(), 1);
}
