//! Leases that go back because their workload is not there: the run waits again, or has failed.
use ck8s_types::{Epoch, EventKind, ProjectId, RunId, RunReason, WorkerId};
use sqlx::PgConnection;

use crate::domain::{
    Lane, LeaseReturn, PoolId, QueuePosition, QueuedRun, ReturnReason, ReturnedLease,
};

/// The lease that was deleted, as far as its run needs it.
struct DeletedLease {
    run: RunId,
    project: ProjectId,
    pool_id: i32,
    epoch: Epoch,
    is_releasing: bool,
    attempt: i32,
    max_attempts: i32,
    rank: i16,
    seq: i64,
    concurrency_group: Option<String>,
    start_timeout: i32,
    run_timeout: i32,
}

/// What is recorded about a lease that went back.
struct Event<'a> {
    kind: EventKind,
    actor: &'a str,
    message: &'a str,
    attempt: i32,
    /// Why the run has failed. None: it has not.
    failure: Option<RunReason>,
}

/// Ends a lease whose workload is not there. None: the lease is not what the caller thinks it is. Call it in a
/// transaction.
pub(crate) async fn return_lease(
    conn: &mut PgConnection,
    back: LeaseReturn<'_>,
) -> sqlx::Result<Option<ReturnedLease>> {
    let Some(lease) = delete(conn, &back).await? else {
        return Ok(None);
    };
    let actor = back.worker.map_or_else(
        || "service:runs".to_owned(),
        |worker| format!("worker:{worker}"),
    );
    let ended = ReturnedLease::Ended {
        project: lease.project,
        group: lease.concurrency_group.clone(),
    };
    let mut event = Event {
        kind: EventKind::RunReleased,
        actor: &actor,
        message: back.message,
        attempt: lease.attempt,
        failure: None,
    };
    if lease.is_releasing {
        record(conn, &lease, event).await?;
        return Ok(Some(ended));
    }
    let (attempt, reason) = match back.reason {
        ReturnReason::NeverStarted => (lease.attempt, None),
        ReturnReason::WorkloadLost(reason) => (lease.attempt + 1, Some(reason)),
    };
    if attempt > lease.max_attempts {
        let reason = reason.unwrap_or(RunReason::WorkerLost);
        if fail(conn, lease.run, reason, back.message).await? {
            event.kind = EventKind::RunFinished;
            event.failure = Some(reason);
            record(conn, &lease, event).await?;
        }
        return Ok(Some(ended));
    }
    if !requeue(conn, &lease, attempt).await? {
        return Ok(Some(ended));
    }
    event.kind = EventKind::RunRequeued;
    event.attempt = attempt;
    record(conn, &lease, event).await?;
    Ok(Some(ReturnedLease::Queued(QueuedRun {
        lane: Lane {
            project: lease.project,
            pool: PoolId(lease.pool_id),
        },
        position: QueuePosition {
            rank: lease.rank,
            seq: lease.seq,
        },
    })))
}

async fn delete(
    conn: &mut PgConnection,
    back: &LeaseReturn<'_>,
) -> sqlx::Result<Option<DeletedLease>> {
    let deleted = sqlx::query!(
        "DELETE FROM runs.leases WHERE run_id = $1 AND epoch = $2 AND worker_id IS NOT DISTINCT FROM $3 RETURNING *",
        back.lease.run_id.uuid(),
        back.lease.epoch.0,
        back.worker.map(WorkerId::as_str)
    )
    .fetch_optional(conn)
    .await?;
    Ok(deleted.map(|r| DeletedLease {
        run: back.lease.run_id,
        project: ProjectId::from(r.project_id),
        pool_id: r.pool_id,
        epoch: Epoch(r.epoch),
        is_releasing: r.state == "releasing",
        attempt: r.attempt,
        max_attempts: r.max_attempts,
        rank: r.rank,
        seq: r.seq,
        concurrency_group: r.concurrency_group,
        start_timeout: r.start_timeout,
        run_timeout: r.run_timeout,
    }))
}

/// Ends the run as failed. False: it had ended.
async fn fail(
    conn: &mut PgConnection,
    run: RunId,
    reason: RunReason,
    message: &str,
) -> sqlx::Result<bool> {
    sqlx::query!(
        "UPDATE runs.runs SET state = 'failed', reason = $2, message = $3, finished_at = now() WHERE id = $1 AND state IN ('pending', 'running')",
        run.uuid(),
        reason.as_str(),
        message
    )
    .execute(conn)
    .await
    .map(|r| r.rows_affected() == 1)
}

/// Puts the run back to its place in the queue, with the next epoch. False: it has ended.
async fn requeue(
    conn: &mut PgConnection,
    lease: &DeletedLease,
    attempt: i32,
) -> sqlx::Result<bool> {
    let alive = sqlx::query!(
        "UPDATE runs.runs SET attempt = $2, slot = NULL, worker_id = NULL, workload = '' WHERE id = $1 AND state IN ('pending', 'running')",
        lease.run.uuid(),
        attempt
    )
    .execute(&mut *conn)
    .await?;
    if alive.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO runs.queue (run_id, project_id, pool_id, rank, seq, concurrency_group, attempt, max_attempts, epoch, start_timeout,
             run_timeout, expires_at)
         SELECT id, project_id, $2, $3, $4, $5, $6, $7, $8, $9, $10,
             now() + make_interval(secs => coalesce((spec->'timeouts'->>'unscheduled')::int, 86400))
         FROM runs.runs WHERE id = $1",
        lease.run.uuid(),
        lease.pool_id,
        lease.rank,
        lease.seq,
        lease.concurrency_group,
        attempt,
        lease.max_attempts,
        lease.epoch.next().0,
        lease.start_timeout,
        lease.run_timeout
    )
    .execute(conn)
    .await
    .map(|_| true)
}

async fn record(
    conn: &mut PgConnection,
    lease: &DeletedLease,
    event: Event<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data) VALUES ($1, $2, $3, $4, $5,
             json_strip_nulls(json_build_object('attempt', $6::int, 'reason', $7::text, 'state', CASE WHEN $7::text IS NOT NULL THEN 'failed' END)))",
        event.kind.as_str(),
        lease.project.uuid(),
        lease.run.uuid(),
        event.actor,
        event.message,
        event.attempt,
        event.failure.map(RunReason::as_str)
    )
    .execute(conn)
    .await
    .map(drop)
}
