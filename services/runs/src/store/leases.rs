//! Leases whose worker is gone or changed: orphaned, taken over, given back to the queue.
use ck8s_types::{Epoch, ProjectId, RunId, RunReason};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{Lane, Place, PoolId};

/// A live lease.
#[derive(Clone, Debug)]
pub struct LeaseRow {
    pub run: RunId,
    pub lane: Lane,
    pub slot: i32,
    pub worker: Option<String>,
    pub domain: String,
    pub epoch: Epoch,
    pub releasing: bool,
    pub running: bool,
    /// Seconds since its worker was lost.
    pub orphaned_for: Option<f64>,
}

macro_rules! lease_rows {
    ($conn:expr, $where:literal $(, $arg:expr)*) => {
        sqlx::query!(
            r#"SELECT run_id, project_id, pool_id, slot, worker_id, executor_domain, epoch, state, running,
                   extract(epoch FROM now() - orphaned_at)::float8 AS orphaned_for FROM runs.leases WHERE "# + $where
            $(, $arg)*
        )
        .fetch_all($conn)
        .await
        .map(|rows| {
            rows.into_iter()
                .map(|r| LeaseRow {
                    run: RunId::from(r.run_id),
                    lane: Lane { project: ProjectId::from(r.project_id), pool: PoolId(r.pool_id) },
                    slot: r.slot,
                    worker: r.worker_id,
                    domain: r.executor_domain,
                    epoch: Epoch(r.epoch),
                    releasing: r.state == "releasing",
                    running: r.running,
                    orphaned_for: r.orphaned_for,
                })
                .collect::<Vec<LeaseRow>>()
        })
    };
}

/// All leases of these workers.
pub async fn of_workers(
    conn: &mut PgConnection,
    workers: &[String],
) -> sqlx::Result<Vec<LeaseRow>> {
    lease_rows!(conn, "worker_id = ANY($1)", workers)
}

/// Leases without a worker, longest first.
pub async fn orphans(conn: &mut PgConnection) -> sqlx::Result<Vec<LeaseRow>> {
    lease_rows!(conn, "worker_id IS NULL ORDER BY orphaned_at LIMIT 500")
}

/// Takes the leases of workers that were not heard in time away from them. Their epochs are stale from here on.
pub async fn orphan_expired(conn: &mut PgConnection) -> sqlx::Result<u64> {
    sqlx::query!(
        r#"
        WITH lease AS (
            UPDATE runs.leases l SET worker_id = NULL, orphaned_at = now() FROM runs.workers w
            WHERE w.id = l.worker_id AND w.lease_until < now()
            RETURNING l.run_id, l.project_id, w.id AS worker_id, l.epoch
        )
        INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
        SELECT 'run.orphaned', project_id, run_id, 'service:runs', 'no heartbeat of worker ' || worker_id,
            json_build_object('worker_id', worker_id, 'lease_epoch', epoch) FROM lease
        "#
    )
    .execute(conn)
    .await
    .map(|r| r.rows_affected())
}

/// Takes leases away from a worker that no longer holds them.
pub async fn orphan(
    conn: &mut PgConnection,
    worker: &str,
    runs: &[Uuid],
    why: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        WITH lease AS (
            UPDATE runs.leases l SET worker_id = NULL, orphaned_at = now() WHERE worker_id = $1 AND run_id = ANY($2)
            RETURNING run_id, project_id, epoch
        )
        INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
        SELECT 'run.orphaned', project_id, run_id, 'service:runs', $3, json_build_object('worker_id', $1::text, 'lease_epoch', epoch) FROM lease
        "#,
        worker,
        runs,
        why
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Gives an orphaned lease to a worker, with the next epoch. None: somebody else was faster.
pub async fn take_over(
    conn: &mut PgConnection,
    lease: &LeaseRow,
    worker: &str,
) -> sqlx::Result<Option<Epoch>> {
    sqlx::query_scalar!(
        r#"
        WITH lease AS (
            UPDATE runs.leases SET worker_id = $3, orphaned_at = NULL, epoch = epoch + 1
            WHERE run_id = $1 AND epoch = $2 AND worker_id IS NULL
            RETURNING run_id, project_id, slot, epoch
        ), event AS (
            INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
            SELECT 'run.taken_over', project_id, run_id, 'service:runs', 'by worker ' || $3::text,
                json_build_object('worker_id', $3::text, 'slot', slot, 'lease_epoch', epoch) FROM lease
        )
        SELECT epoch FROM lease
        "#,
        lease.run.uuid(),
        lease.epoch.0,
        worker
    )
    .fetch_optional(conn)
    .await
    .map(|e| e.map(Epoch))
}

/// Why a lease goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// Its workload never started: the same attempt waits again.
    NeverStarted,
    /// Its workload is lost: the next attempt waits, or the run has failed for this reason.
    Lost(RunReason),
}

/// What became of a lease that went back.
#[derive(Clone, Debug)]
pub enum WentBack {
    /// The run waits again.
    Queued(Lane, Place),
    /// That was its last attempt; or it had ended before. The slot is free.
    Ended {
        project: ProjectId,
        group: Option<String>,
    },
}

/// Ends a lease whose workload is not there. None: the lease is not what the caller thinks it is. Call it in a transaction.
pub async fn give_back(
    conn: &mut PgConnection,
    run: RunId,
    epoch: Epoch,
    worker: Option<&str>,
    back: Back,
    message: &str,
) -> sqlx::Result<Option<WentBack>> {
    let Some(lease) = sqlx::query!(
        "DELETE FROM runs.leases WHERE run_id = $1 AND epoch = $2 AND worker_id IS NOT DISTINCT FROM $3 RETURNING *",
        run.uuid(),
        epoch.0,
        worker
    )
    .fetch_optional(&mut *conn)
    .await?
    else {
        return Ok(None);
    };
    let project = ProjectId::from(lease.project_id);
    let actor = worker.map_or_else(|| "service:runs".to_owned(), |w| format!("worker:{w}"));
    let (attempt, reason) = match back {
        Back::NeverStarted => (lease.attempt, None),
        Back::Lost(reason) => (lease.attempt + 1, Some(reason)),
    };
    let ended = WentBack::Ended {
        project,
        group: lease.concurrency_group.clone(),
    };
    if lease.state == "releasing" {
        event(
            conn,
            "run.released",
            project,
            run,
            &actor,
            message,
            lease.attempt,
            None,
        )
        .await?;
        return Ok(Some(ended));
    }
    if attempt > lease.max_attempts {
        let reason = reason.unwrap_or(RunReason::WorkerLost);
        let changed = sqlx::query!(
            "UPDATE runs.runs SET state = 'failed', reason = $2, message = $3, finished_at = now() WHERE id = $1 AND state IN ('pending', 'running')",
            run.uuid(),
            reason.as_str(),
            message
        )
        .execute(&mut *conn)
        .await?;
        if changed.rows_affected() == 1 {
            event(
                conn,
                "run.finished",
                project,
                run,
                &actor,
                message,
                lease.attempt,
                Some(reason),
            )
            .await?;
        }
        return Ok(Some(ended));
    }
    let alive = sqlx::query!(
        "UPDATE runs.runs SET attempt = $2, slot = NULL, worker_id = NULL, workload = '' WHERE id = $1 AND state IN ('pending', 'running')",
        run.uuid(),
        attempt
    )
    .execute(&mut *conn)
    .await?;
    if alive.rows_affected() == 0 {
        return Ok(Some(ended));
    }
    sqlx::query!(
        "INSERT INTO runs.queue (run_id, project_id, pool_id, rank, seq, concurrency_group, attempt, max_attempts, epoch, start_timeout,
             run_timeout, expires_at)
         SELECT id, project_id, $2, $3, $4, $5, $6, $7, $8, $9, $10,
             now() + make_interval(secs => coalesce((spec->'timeouts'->>'unscheduled')::int, 86400))
         FROM runs.runs WHERE id = $1",
        run.uuid(),
        lease.pool_id,
        lease.rank,
        lease.seq,
        lease.concurrency_group,
        attempt,
        lease.max_attempts,
        epoch.next().0,
        lease.start_timeout,
        lease.run_timeout
    )
    .execute(&mut *conn)
    .await?;
    event(
        conn,
        "run.requeued",
        project,
        run,
        &actor,
        message,
        attempt,
        None,
    )
    .await?;
    let lane = Lane {
        project,
        pool: PoolId(lease.pool_id),
    };
    let place = Place {
        rank: lease.rank,
        seq: lease.seq,
    };
    Ok(Some(WentBack::Queued(lane, place)))
}

#[allow(clippy::too_many_arguments)] // one row of one table
async fn event(
    conn: &mut PgConnection,
    kind: &str,
    project: ProjectId,
    run: RunId,
    actor: &str,
    message: &str,
    attempt: i32,
    failed: Option<RunReason>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data) VALUES ($1, $2, $3, $4, $5,
             json_strip_nulls(json_build_object('attempt', $6::int, 'reason', $7::text, 'state', CASE WHEN $7::text IS NOT NULL THEN 'failed' END)))",
        kind,
        project.uuid(),
        run.uuid(),
        actor,
        message,
        attempt,
        failed.map(RunReason::as_str)
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Until when the leases of a worker live.
pub async fn lease_until(
    conn: &mut PgConnection,
    worker: &str,
) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!("SELECT lease_until FROM runs.workers WHERE id = $1", worker)
        .fetch_optional(conn)
        .await
}
