//! Ending a run from the server's side: a cancel, a timeout, a newer run of its group.
use ck8s_types::{Epoch, ProjectId, RunId};
use sqlx::PgConnection;

use crate::domain::Outcome;

/// What an ended run leaves behind.
#[derive(Clone, Debug)]
pub struct Ended {
    pub run: RunId,
    pub project: ProjectId,
    /// The lease whose workload has to be stopped, and its worker, if one holds it.
    pub lease: Option<(Epoch, Option<String>)>,
    /// The group that it waited in or held.
    pub group: Option<String>,
}

/// Ends a run, unless it has ended. Its place in the queue goes, its slot is releasing. Call it in a transaction.
///
/// The order matters. A claim that runs at the same time holds the queue's row, so the first statement waits for it and the second
/// sees its lease. A requeue that runs at the same time changes the run's row, so the third waits for it and the fourth sees its place.
pub async fn end(
    conn: &mut PgConnection,
    run: RunId,
    outcome: &Outcome,
    actor: &str,
) -> sqlx::Result<Option<Ended>> {
    let mut group = leave_queue(&mut *conn, run).await?;
    let lease = sqlx::query!(
        "UPDATE runs.leases SET state = 'releasing' WHERE run_id = $1 AND state = 'leased' RETURNING epoch, worker_id, concurrency_group",
        run.uuid()
    )
    .fetch_optional(&mut *conn)
    .await?;
    let ended = sqlx::query!(
        "UPDATE runs.runs SET state = $2, reason = $3, message = $4, exit_code = $5, finished_at = now()
         WHERE id = $1 AND state IN ('pending', 'running') RETURNING project_id, attempt",
        run.uuid(),
        outcome.state.as_str(),
        outcome.reason.as_str(),
        outcome.message,
        outcome.exit_code
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(ended) = ended else { return Ok(None) };
    group = group.or(leave_queue(&mut *conn, run).await?);
    sqlx::query!(
        "INSERT INTO audit.flow_events (kind, project_id, run_id, actor, message, data)
         VALUES ('run.finished', $1, $2, $3, $4, json_build_object('state', $5::text, 'reason', $6::text, 'attempt', $7::int))",
        ended.project_id,
        run.uuid(),
        actor,
        outcome.message,
        outcome.state.as_str(),
        outcome.reason.as_str(),
        ended.attempt
    )
    .execute(conn)
    .await?;
    Ok(Some(Ended {
        run,
        project: ProjectId::from(ended.project_id),
        group: group.or_else(|| lease.as_ref().and_then(|l| l.concurrency_group.clone())),
        lease: lease.map(|l| (Epoch(l.epoch), l.worker_id)),
    }))
}

async fn leave_queue(conn: &mut PgConnection, run: RunId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "DELETE FROM runs.queue WHERE run_id = $1 RETURNING concurrency_group",
        run.uuid()
    )
    .fetch_optional(conn)
    .await
    .map(Option::flatten)
}

/// Runs that have waited too long, and whether each had a workload before (its first attempt was lost).
pub async fn expired(conn: &mut PgConnection) -> sqlx::Result<Vec<(RunId, bool)>> {
    let rows = sqlx::query!("SELECT run_id, attempt FROM runs.queue WHERE expires_at < now() ORDER BY expires_at LIMIT 500")
        .fetch_all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|r| (RunId::from(r.run_id), r.attempt > 1))
        .collect())
}

/// Runs whose workload did not start or end in time, and whether it had started.
pub async fn overdue(conn: &mut PgConnection) -> sqlx::Result<Vec<(RunId, bool)>> {
    let rows = sqlx::query!("SELECT run_id, running FROM runs.leases WHERE state = 'leased' AND deadline < now() LIMIT 500")
        .fetch_all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|r| (RunId::from(r.run_id), r.running))
        .collect())
}
