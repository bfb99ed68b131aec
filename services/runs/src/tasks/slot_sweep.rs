//! The sweep of slots: finds the projects whose number of slots was changed at another replica without a word to this
//! one.
use crate::{engine::Engine, error::RunsError, store::slots};

/// Forgets what is known of the slots of projects whose number is another one by now. Returns how many they are.
pub(super) async fn forget_changed_slots(engine: &Engine) -> Result<usize, RunsError> {
    let known = engine.scheduler().slots.counts();
    if known.is_empty() {
        return Ok(0);
    }
    let mut conn = engine.pool.acquire().await?;
    let changed = slots::differing(&mut conn, &known, engine.config.default_slots).await?;
    drop(conn);
    if !changed.is_empty() {
        let mut scheduler = engine.scheduler();
        for project in &changed {
            scheduler.slots_changed(*project);
        }
        drop(scheduler);
        engine.wake_dispatcher();
    }
    Ok(changed.len())
}
