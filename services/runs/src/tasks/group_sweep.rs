//! The sweep of concurrency groups: makes the next run ready where a crash between two transactions left a group
//! without one.
use crate::{engine::Engine, error::RunsError, store::groups};

/// Makes the next run ready in every group where runs wait and nothing goes before them. Returns how many it made
/// ready.
pub(super) async fn promote_stuck_groups(engine: &Engine) -> Result<usize, RunsError> {
    let stuck = groups::stuck(&mut *engine.pool.acquire().await?).await?;
    let mut promoted = 0;
    for (project, group) in stuck {
        let mut tx = engine.pool.begin().await?;
        groups::lock(&mut tx, project, &group).await?;
        let run = groups::promote(&mut tx, project, &group).await?;
        tx.commit().await?;
        if let Some(run) = run {
            engine.scheduler().run_queued(run);
            promoted += 1;
        }
    }
    Ok(promoted)
}
