//! AppendActivities and ReportOutcome: what an agent did, and what it left.
use crate::{
    domain::{AgentOutcome, AgentProgress, Attempt},
    engine::Engine,
    error::RunsError,
    store::agents,
};

/// Bounds the activities that are kept of one attempt.
const MAX_ACTIVITIES: i64 = 10_000;

/// Stores what an agent did and used. Returns whether more activities are dropped.
pub(crate) async fn append_activities(
    engine: &Engine,
    attempt: Attempt,
    mut progress: AgentProgress,
) -> Result<bool, RunsError> {
    let is_full = progress
        .activities
        .iter()
        .any(|activity| activity.place.sequence >= MAX_ACTIVITIES);
    progress
        .activities
        .retain(|activity| activity.place.sequence <= MAX_ACTIVITIES);
    let mut tx = engine.pool.begin().await?;
    if !agents::append(&mut tx, attempt, &progress.activities).await? {
        return Err(RunsError::Stale(attempt.run));
    }
    if progress.has_report() {
        agents::update_report(&mut tx, attempt, &progress).await?;
    }
    tx.commit().await?;
    let _ = engine.agent_growth.send(attempt.run);
    Ok(is_full)
}

/// Stores what an attempt left behind; the last word counts.
pub(crate) async fn report_outcome(
    engine: &Engine,
    attempt: Attempt,
    outcome: &AgentOutcome,
) -> Result<(), RunsError> {
    let mut tx = engine.pool.begin().await?;
    if !agents::set_outcome(&mut tx, attempt, outcome).await? {
        return Err(RunsError::Stale(attempt.run));
    }
    tx.commit().await?;
    let _ = engine.agent_growth.send(attempt.run);
    Ok(())
}
