//! Orphaned leases: the worker is gone. A process died with its worker: the next attempt waits. A Job lives on: a
//! worker of its cluster takes it over.
use ck8s_types::{RunReason, WorkerId};

use crate::{
    domain::{
        Lease, LeasePhase, LeaseReturn, OrphanFilter, Outcome, QueuedRun, ReturnReason,
        ReturnedLease, default_message,
    },
    engine::{EndedRuns, Engine, PROCESS_GONE, ReplicaNotice, send_takeover_grant},
    error::RunsError,
    store::{groups, lease_returns, leases},
};

/// Takes the leases away from the workers of which no heartbeat came in time. Returns how many.
pub(super) async fn orphan_expired(engine: &Engine) -> Result<u64, RunsError> {
    let orphaned = leases::orphan_expired(&mut *engine.pool.acquire().await?).await?;
    if orphaned > 0 {
        engine.feed.wake();
    }
    Ok(orphaned)
}

/// Does what can be done about orphaned leases now. An error with one of them stops none of the others.
pub(super) async fn resolve_orphans(engine: &Engine) -> Result<(), RunsError> {
    let filter = {
        let mut scheduler = engine.scheduler();
        let takers = scheduler.sessions().filter(|s| s.takes_work());
        OrphanFilter {
            domains: takers.map(|s| s.hello.domain.clone()).collect(),
            process_gone: PROCESS_GONE,
            takeover_timeout: engine.config.takeover_timeout,
        }
    };
    let orphans = leases::orphans(&mut *engine.pool.acquire().await?, &filter).await?;
    for orphan in &orphans {
        if let Err(error) = resolve(engine, orphan).await {
            tracing::warn!(%error, run = %orphan.lease.run_id, "cannot resolve an orphaned lease; the next sweep tries again");
        }
    }
    Ok(())
}

/// A process died with its worker: the next attempt waits. A Job is taken over by a worker of its cluster; if none
/// comes in time, the run has failed, and the slot stays releasing until one comes to see that the Job is gone.
async fn resolve(engine: &Engine, orphan: &Lease) -> Result<(), RunsError> {
    if orphan.domain.is_process() {
        return return_orphan(engine, orphan).await;
    }
    let worker = {
        let mut scheduler = engine.scheduler();
        scheduler
            .sessions()
            .filter(|s| s.hello.domain == orphan.domain && s.takes_work())
            .max_by_key(|s| s.free_capacity())
            .map(|s| s.worker().clone())
    };
    let orphaned_for = orphan.orphaned_seconds.unwrap_or(0.0);
    match worker {
        Some(worker) => take_over(engine, orphan, &worker).await,
        None if orphaned_for >= engine.config.takeover_timeout.as_secs_f64() => {
            abandon(engine, orphan).await
        }
        None => Ok(()),
    }
}

async fn take_over(engine: &Engine, orphan: &Lease, worker: &WorkerId) -> Result<(), RunsError> {
    let mut conn = engine.pool.acquire().await?;
    let taken = leases::take_over(&mut conn, orphan.lease, worker).await?;
    drop(conn);
    let Some(taken) = taken else {
        return Ok(());
    };
    let lease = taken.lease;
    engine
        .scheduler()
        .add_lease(worker, lease, orphan.lane.project);
    tracing::info!(run = %lease.run_id, %worker, lease_epoch = lease.epoch.0, "lease taken over");
    send_takeover_grant(engine, orphan, taken, worker).await?;
    engine.events_written();
    Ok(())
}

/// Ends a run that nobody took over in time, unless another replica has a worker that can.
async fn abandon(engine: &Engine, orphan: &Lease) -> Result<(), RunsError> {
    if orphan.phase == LeasePhase::Releasing {
        return Ok(());
    }
    let mut tx = engine.pool.begin().await?;
    if !leases::lock_abandoned(&mut tx, orphan.lease).await? {
        return Ok(());
    }
    let mut ended = EndedRuns::default();
    let outcome = Outcome::of(RunReason::WorkerLost);
    let run = orphan.lease.run_id;
    if ended.end(&mut tx, run, &outcome, "service:runs").await? {
        tx.commit().await?;
        ended.announce(engine);
    }
    Ok(())
}

/// Returns a lease whose workload is certainly gone.
async fn return_orphan(engine: &Engine, orphan: &Lease) -> Result<(), RunsError> {
    let mut tx = engine.pool.begin().await?;
    let back = LeaseReturn {
        lease: orphan.lease,
        worker: None,
        reason: ReturnReason::WorkloadLost(RunReason::WorkerLost),
        message: default_message(RunReason::WorkerLost),
    };
    let queued: Option<QueuedRun> = match lease_returns::return_lease(&mut tx, back).await? {
        Some(ReturnedLease::Queued(run)) => Some(run),
        Some(ReturnedLease::Ended {
            project,
            group: Some(group),
        }) => {
            groups::lock(&mut tx, project, &group).await?;
            groups::promote(&mut tx, project, &group).await?
        }
        Some(ReturnedLease::Ended { group: None, .. }) | None => None,
    };
    tx.commit().await?;
    let project = orphan.lane.project;
    {
        let mut scheduler = engine.scheduler();
        scheduler.slots_may_be_free(project);
        if let Some(run) = queued {
            scheduler.run_queued(run);
        }
    }
    engine.notify_replicas(ReplicaNotice::SlotFreed(project));
    engine.wake_dispatcher();
    engine.feed.wake();
    Ok(())
}
