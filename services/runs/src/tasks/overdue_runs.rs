//! Overdue runs: ends those that waited, started or ran too long.
use ck8s_types::{RunId, RunReason};

use crate::{
    domain::{LeasePhase, Outcome},
    engine::{EndedRuns, Engine},
    error::RunsError,
    store::run_end,
};

/// Ends the runs that waited, started or ran too long. Returns how many it ended.
pub(super) async fn end_overdue_runs(engine: &Engine) -> Result<usize, RunsError> {
    let mut conn = engine.pool.acquire().await?;
    let waited = run_end::expired_in_queue(&mut conn).await?;
    let leased = run_end::past_deadline(&mut conn).await?;
    drop(conn);
    let mut overdue = Vec::with_capacity(waited.len() + leased.len());
    overdue.extend(waited.into_iter().map(|(run, attempt)| {
        // A later attempt waits because the workload of the one before was lost.
        let reason = match attempt {
            ..=1 => RunReason::Unscheduled,
            _ => RunReason::WorkerLost,
        };
        (run, reason)
    }));
    overdue.extend(leased.into_iter().map(|(run, phase)| {
        let reason = match phase {
            LeasePhase::Running => RunReason::TimedOut,
            LeasePhase::Starting | LeasePhase::Releasing => RunReason::StartTimedOut,
        };
        (run, reason)
    }));
    let mut ended = 0;
    for (run, reason) in overdue {
        ended += usize::from(end_run(engine, run, reason).await?);
    }
    Ok(ended)
}

/// Ends a run for a reason of the server's own. False: it had ended.
async fn end_run(engine: &Engine, run: RunId, reason: RunReason) -> Result<bool, RunsError> {
    let mut tx = engine.pool.begin().await?;
    let mut ended = EndedRuns::default();
    let outcome = Outcome::of(reason);
    if !ended.end(&mut tx, run, &outcome, "service:runs").await? {
        return Ok(false);
    }
    tx.commit().await?;
    ended.announce(engine);
    Ok(true)
}
