//! The change feed: one reader of flow events per process tells every watcher, so that a watcher costs no SQL of its
//! own.
use std::{collections::HashMap, sync::Arc};

use ck8s_types::RunId;
use parking_lot::Mutex;
use sqlx::PgConnection;
use tokio::sync::{Notify, broadcast};

use crate::{
    domain::{EventCursor, EventRecord, Run},
    error::RunsError,
    store::{events, runs},
};

/// Events that a watcher may lag behind before it has to read from the database again.
const WATCHER_BACKLOG: usize = 4096;

/// An event as watchers are told of it, with its run as it is now.
pub(crate) struct FeedItem {
    pub event: EventRecord,
    pub run: Option<Run>,
}

/// The feed of one process.
pub(crate) struct ChangeFeed {
    items: broadcast::Sender<Arc<FeedItem>>,
    /// Events may have been written.
    woken: Notify,
    /// The place up to which subscribers were told. None: there are no subscribers.
    position: Mutex<Option<EventCursor>>,
}

/// What a watcher receives from now on.
pub(crate) struct Subscription {
    pub items: broadcast::Receiver<Arc<FeedItem>>,
    /// Every event after this place comes; some before it may come, too.
    pub from: EventCursor,
}

impl Default for ChangeFeed {
    fn default() -> Self {
        Self {
            items: broadcast::channel(WATCHER_BACKLOG).0,
            woken: Notify::new(),
            position: Mutex::new(None),
        }
    }
}

impl ChangeFeed {
    /// Notes that events may have been written.
    pub(crate) fn wake(&self) {
        if self.items.receiver_count() > 0 {
            self.woken.notify_one();
        }
    }

    /// Waits until events may have been written.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Subscribes to all events from now on.
    pub(crate) async fn subscribe(&self, pool: &sqlx::PgPool) -> Result<Subscription, RunsError> {
        let items = self.items.subscribe();
        let position = *self.position.lock();
        let from = match position {
            Some(position) => position,
            None => {
                let horizon = events::horizon(&mut *pool.acquire().await?).await?;
                *self.position.lock().get_or_insert(horizon)
            }
        };
        Ok(Subscription { items, from })
    }

    /// Returns the place up to which subscribers were told. None: there are no subscribers; the next one starts anew.
    pub(crate) fn position(&self) -> Option<EventCursor> {
        let mut position = self.position.lock();
        if self.items.receiver_count() == 0 {
            *position = None;
        }
        *position
    }

    /// Tells the subscribers of all events up to this place.
    pub(crate) fn publish(&self, items: Vec<FeedItem>, up_to: EventCursor) {
        for item in items {
            // Without subscribers nobody needs to be told.
            let _ = self.items.send(Arc::new(item));
        }
        *self.position.lock() = Some(up_to);
    }
}

/// Adds to events their runs as they are now.
pub(crate) async fn with_runs(
    conn: &mut PgConnection,
    found: Vec<EventRecord>,
) -> Result<Vec<FeedItem>, RunsError> {
    let mut ids: Vec<RunId> = found.iter().filter_map(|event| event.run).collect();
    ids.sort_unstable();
    ids.dedup();
    let runs = runs::get_many(conn, ids).await?;
    let runs: HashMap<RunId, Run> = runs.into_iter().map(|run| (run.id, run)).collect();
    Ok(found
        .into_iter()
        .map(|event| FeedItem {
            run: event.run.and_then(|id| runs.get(&id).cloned()),
            event,
        })
        .collect())
}
