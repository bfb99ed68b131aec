//! The ends of runs that the server decides on: a cancel, a timeout, a newer run of the concurrency group.
use ck8s_types::{ProjectId, RunId};
use sqlx::PgConnection;

use super::decode::{lease_ref, worker_id};
use crate::domain::{LeasePhase, Outcome, RunEnd};

/// Ends a run. Its place in the queue goes, its slot is releasing. None: it had ended. Call it in a transaction.
///
/// The order matters. A claim that runs at the same time holds the queue's row, so the first statement waits for it and
/// the second sees its lease. A requeue that runs at the same time changes the run's row, so the third waits for it and
/// the fourth sees its place.
pub(crate) async fn end(
    conn: &mut PgConnection,
    run: RunId,
    outcome: &Outcome,
    actor: &str,
) -> sqlx::Result<Option<RunEnd>> {
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
    let group = group.or_else(|| lease.as_ref().and_then(|l| l.concurrency_group.clone()));
    let lease = match lease {
        Some(lease) => {
            let worker = lease.worker_id.map(worker_id).transpose()?;
            Some((lease_ref(run, lease.epoch), worker))
        }
        None => None,
    };
    Ok(Some(RunEnd {
        project: ProjectId::from(ended.project_id),
        lease,
        group,
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

/// Returns the runs that have waited too long, and the attempt that each waits for.
pub(crate) async fn expired_in_queue(conn: &mut PgConnection) -> sqlx::Result<Vec<(RunId, i32)>> {
    let rows = sqlx::query!("SELECT run_id, attempt FROM runs.queue WHERE expires_at < now() ORDER BY expires_at LIMIT 500")
        .fetch_all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|r| (RunId::from(r.run_id), r.attempt))
        .collect())
}

/// Returns the runs whose workload did not start or end in time, and which of the two it was doing.
pub(crate) async fn past_deadline(
    conn: &mut PgConnection,
) -> sqlx::Result<Vec<(RunId, LeasePhase)>> {
    let rows = sqlx::query!("SELECT run_id, running FROM runs.leases WHERE state = 'leased' AND deadline < now() LIMIT 500")
        .fetch_all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let phase = match r.running {
                true => LeasePhase::Running,
                false => LeasePhase::Starting,
            };
            (RunId::from(r.run_id), phase)
        })
        .collect())
}
