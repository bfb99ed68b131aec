//! The reader of the change feed: reads new flow events and tells the watchers of this process.
use std::{sync::Arc, time::Duration};

use crate::{
    domain::EventCursor,
    engine::{Engine, with_runs},
    error::RunsError,
    store::events,
};

/// Events of one reading: it bounds the memory that a reading takes.
const MAX_PAGE_EVENTS: i64 = 1000;
/// The time after which the feed is read without a wake-up: it bounds the delay that a lost one costs.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Reads and tells until shutdown.
pub(crate) async fn read_feed(engine: Arc<Engine>) {
    let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = engine.feed.woken() => {}
            _ = sweep.tick() => {}
            () = engine.shutdown.cancelled() => return,
        }
        let Some(position) = engine.feed.position() else {
            continue;
        };
        if let Err(error) = read_on(&engine, position).await {
            tracing::warn!(%error, "the change feed failed; it reads again");
        }
    }
}

/// Publishes every event after this position that is visible now.
async fn read_on(engine: &Engine, mut position: EventCursor) -> Result<(), RunsError> {
    let horizon = events::horizon(&mut *engine.pool.acquire().await?).await?;
    while position < horizon {
        let mut conn = engine.pool.acquire().await?;
        let found = events::between(&mut conn, position, horizon, MAX_PAGE_EVENTS).await?;
        let is_full = found.len() as i64 == MAX_PAGE_EVENTS;
        position = match found.last() {
            Some(last) if is_full => last.cursor,
            _ => horizon,
        };
        let items = with_runs(&mut conn, found).await?;
        engine.feed.publish(items, position);
    }
    Ok(())
}
