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
        let (items, position) = self.join();
        let from = match position {
            Some(position) => position,
            None => {
                let horizon = events::horizon(&mut *pool.acquire().await?).await?;
                *self.position.lock().get_or_insert(horizon)
            }
        };
        Ok(Subscription { items, from })
    }

    /// Starts to receive, and returns the place after which every event is received, where it is known. Both under the
    /// lock that publishing holds: who joins while a page is sent would miss its first events otherwise.
    fn join(&self) -> (broadcast::Receiver<Arc<FeedItem>>, Option<EventCursor>) {
        let position = self.position.lock();
        (self.items.subscribe(), *position)
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
        let mut position = self.position.lock();
        for item in items {
            // Without subscribers nobody needs to be told.
            let _ = self.items.send(Arc::new(item));
        }
        *position = Some(up_to);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use time::OffsetDateTime;
    use tokio::sync::broadcast::error::RecvError;

    use super::*;

    /// Events of one page in this test.
    const PAGE_EVENTS: i64 = 200;
    /// Watchers that join, one after the other.
    const JOINS: usize = 300;

    fn item(xact: i64) -> FeedItem {
        let event = EventRecord {
            cursor: EventCursor(xact, 0),
            kind: "run.created".to_owned(),
            project: None,
            run: None,
            actor: String::new(),
            message: String::new(),
            data: String::new(),
            recorded_at: OffsetDateTime::UNIX_EPOCH,
        };
        FeedItem { event, run: None }
    }

    #[test]
    fn who_joins_while_a_page_is_sent_misses_none_of_its_events() {
        let feed = ChangeFeed::default();
        let over = AtomicBool::new(false);
        feed.publish(Vec::new(), EventCursor(0, 0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut last = 0;
                while !over.load(Ordering::Relaxed) {
                    let page = (last + 1..=last + PAGE_EVENTS).map(item).collect();
                    last += PAGE_EVENTS;
                    feed.publish(page, EventCursor(last, 0));
                }
            });
            let mut missed = 0;
            for _ in 0..JOINS {
                let (mut items, from) = feed.join();
                let from = from.expect("something was published");
                let first = loop {
                    match items.blocking_recv() {
                        Ok(item) if item.event.cursor > from => break Some(item.event.cursor),
                        Ok(_) => {}
                        // This thread did not get to run for long: the join shows nothing.
                        Err(RecvError::Lagged(_) | RecvError::Closed) => break None,
                    }
                };
                missed += usize::from(first.is_some_and(|first| first.0 != from.0 + 1));
            }
            over.store(true, Ordering::Relaxed);
            assert_eq!(missed, 0, "of {JOINS} watchers");
        });
    }
}
