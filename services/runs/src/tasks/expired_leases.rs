//! Orphaned leases: the worker is gone. A process died with its worker: the next attempt waits. A Job lives on: a
//! worker of its cluster takes it over.
use ck8s_types::{RunReason, WorkerId};

use super::overdue_runs::end_run;
use crate::{
    domain::{
        Lease, LeasePhase, LeaseReturn, QueuedRun, ReturnReason, ReturnedLease, default_message,
    },
    engine::{Engine, ReplicaNotice, send_takeover_grant},
    error::RunsError,
    store::{groups, lease_returns, leases},
};

/// A process dies with its lease: its guard sees to it. This long after the lease's end it is certainly gone.
const PROCESS_GONE_SECONDS: f64 = 3.0;

/// Takes the leases away from the workers of which no heartbeat came in time. Returns how many.
pub(super) async fn orphan_expired(engine: &Engine) -> Result<u64, RunsError> {
    let orphaned = leases::orphan_expired(&mut *engine.pool.acquire().await?).await?;
    if orphaned > 0 {
        engine.feed.wake();
    }
    Ok(orphaned)
}

/// Decides on each orphaned lease what becomes of it now.
pub(super) async fn resolve_orphans(engine: &Engine) -> Result<(), RunsError> {
    let orphans = leases::orphans(&mut *engine.pool.acquire().await?).await?;
    for orphan in &orphans {
        resolve(engine, orphan).await?;
    }
    Ok(())
}

/// A process died with its worker: the next attempt waits. A Job is taken over by a worker of its cluster; if none
/// comes in time, the run has failed, and the slot stays releasing until one comes to see that the Job is gone.
async fn resolve(engine: &Engine, orphan: &Lease) -> Result<(), RunsError> {
    let orphaned_seconds = orphan.orphaned_seconds.unwrap_or(0.0);
    if orphan.domain.is_process() {
        if orphaned_seconds >= PROCESS_GONE_SECONDS {
            return_orphan(engine, orphan).await?;
        }
        return Ok(());
    }
    let worker = {
        let mut scheduler = engine.scheduler();
        scheduler
            .sessions()
            .filter(|s| s.hello.domain == orphan.domain && s.takes_work())
            .max_by_key(|s| s.free_capacity())
            .map(|s| s.worker().clone())
    };
    let takeover_timeout = engine.config.takeover_timeout.as_secs_f64();
    if let Some(worker) = worker {
        take_over(engine, orphan, &worker).await?;
    } else if orphan.phase != LeasePhase::Releasing && orphaned_seconds >= takeover_timeout {
        end_run(engine, orphan.lease.run_id, RunReason::WorkerLost).await?;
    }
    Ok(())
}

async fn take_over(engine: &Engine, orphan: &Lease, worker: &WorkerId) -> Result<(), RunsError> {
    let mut conn = engine.pool.acquire().await?;
    let taken = leases::take_over(&mut conn, orphan.lease, worker).await?;
    drop(conn);
    let Some(lease) = taken else {
        return Ok(());
    };
    engine
        .scheduler()
        .add_lease(worker, lease, orphan.lane.project);
    tracing::info!(run = %lease.run_id, %worker, lease_epoch = lease.epoch.0, "lease taken over");
    send_takeover_grant(engine, orphan, lease, worker).await?;
    engine.events_written();
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
