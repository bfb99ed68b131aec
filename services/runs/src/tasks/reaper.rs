//! The reaper: finds what time has overtaken. Woken by what is likely to leave work for it, and every second as a
//! safety net. Any number of replicas may do it at once, since each step changes only what is still as it was read.
use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    expired_leases, group_sweep, lane_sweep, overdue_runs, slot_sweep, worker_session_sync,
};
use crate::{engine::Engine, error::RunsError};

/// The time between two sweeps: it bounds the delay that a lost wake-up costs.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How many times as long as a sweep the time to the next one is. It bounds the load: while somebody else's snapshot (a
/// backup) keeps dead rows from being cleaned up, a sweep has to walk over them.
const SWEEP_INTERVAL_FACTOR: u32 = 20;
/// The longest time between two sweeps, however long they take: they also find the leases that have expired.
const MAX_SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Reaps until shutdown.
pub(crate) async fn reap_loop(engine: Arc<Engine>) {
    let mut next = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = engine.reap.notified() => {}
            () = engine.shutdown.cancelled() => return,
        }
        let began = Instant::now();
        if let Err(error) = reap(&engine).await {
            tracing::warn!(%error, "the reaper failed; it comes again");
        }
        let interval =
            (SWEEP_INTERVAL_FACTOR * began.elapsed()).clamp(SWEEP_INTERVAL, MAX_SWEEP_INTERVAL);
        next = began + interval;
    }
}

async fn reap(engine: &Engine) -> Result<(), RunsError> {
    let orphaned = expired_leases::orphan_expired(engine).await?;
    if orphaned > 0 {
        tracing::warn!(leases = orphaned, "leases have expired without a heartbeat");
    }
    worker_session_sync::end_expired_sessions(engine).await?;
    overdue_runs::end_overdue_runs(engine).await?;
    expired_leases::resolve_orphans(engine).await?;
    worker_session_sync::refresh_sessions(engine).await?;
    group_sweep::promote_stuck_groups(engine).await?;
    slot_sweep::forget_changed_slots(engine).await?;
    lane_sweep::open_ready_lanes(engine).await?;
    Ok(())
}
