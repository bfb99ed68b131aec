//! The sweep of lanes: finds every lane with a run that can be claimed, whatever wake-up was missed.
use crate::{
    engine::Engine,
    error::RunsError,
    store::{claim, label_pools},
};

/// Opens every lane that has a ready run. Returns how many there are.
pub(super) async fn open_ready_lanes(engine: &Engine) -> Result<usize, RunsError> {
    let mut conn = engine.pool.acquire().await?;
    let ready = claim::ready_lanes(&mut conn).await?;
    let has_unknown_pool = {
        let scheduler = engine.scheduler();
        ready.iter().any(|run| !scheduler.knows_pool(run.lane.pool))
    };
    if has_unknown_pool {
        let all = label_pools::all(&mut conn).await?;
        engine.scheduler().add_pools(all);
    }
    drop(conn);
    if !ready.is_empty() {
        {
            let mut scheduler = engine.scheduler();
            for run in &ready {
                // A slot of a project that seems full may have become free without a word to this replica.
                scheduler.slots.mark_stale(run.lane.project);
                scheduler.run_queued(*run);
            }
        }
        engine.wake_dispatcher();
    }
    Ok(ready.len())
}
