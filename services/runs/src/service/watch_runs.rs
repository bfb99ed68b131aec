//! WatchRuns: what happens, from a cursor on.
use std::{sync::Arc, time::Duration};

use ck8s_rpc::project_access::Scope;
use ck8s_types::{ProjectId, RunId};
use tokio::sync::{broadcast, mpsc};

use super::Requester;
use crate::{
    domain::EventCursor,
    engine::{Engine, FeedItem, Subscription, with_runs},
    error::RunsError,
    store::events,
};

/// Updates that may wait for a slow watcher; beyond it, the watcher falls back to reading from the database.
const MAX_QUEUED_UPDATES: usize = 256;
/// Events of one reading: it bounds the memory that a reading takes.
const MAX_PAGE_EVENTS: i64 = 500;
/// How often a stream says that it lives while nothing happens.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// What somebody wants to watch.
pub(crate) struct WatchRequest {
    /// None: all projects that the requester may see.
    pub project: Option<ProjectId>,
    /// None: all runs.
    pub run: Option<RunId>,
    /// None: from now on.
    pub from: Option<EventCursor>,
}

/// One message of a watch.
pub(crate) struct WatchUpdate {
    /// None: nothing happened; the stream lives.
    pub item: Option<Arc<FeedItem>>,
    /// Everything up to here was told.
    pub cursor: EventCursor,
}

struct Watcher {
    /// What the caller may see, for as long as that stays so: the guard ends the stream when it changes.
    scope: Scope,
    run: Option<RunId>,
    at: EventCursor,
    out: mpsc::Sender<Result<WatchUpdate, RunsError>>,
}

/// The stream has ended: its reader is gone, or was told why.
struct Ended;

/// Starts a watch. Returns its updates.
pub(crate) async fn watch_runs(
    engine: &Arc<Engine>,
    requester: &Requester,
    request: WatchRequest,
) -> Result<mpsc::Receiver<Result<WatchUpdate, RunsError>>, RunsError> {
    let scope = requester.access.listed(request.project)?;
    let subscription = engine.feed.subscribe(&engine.pool).await?;
    let (out, updates) = mpsc::channel(MAX_QUEUED_UPDATES);
    if let Some(from) = request.from {
        check_cursor(engine, from).await?;
    }
    let watcher = Watcher {
        scope,
        run: request.run,
        at: request.from.unwrap_or(subscription.from),
        out,
    };
    tokio::spawn(follow(engine.clone(), watcher, subscription));
    Ok(updates)
}

/// Refuses a cursor from which a watch would miss events.
async fn check_cursor(engine: &Engine, from: EventCursor) -> Result<(), RunsError> {
    let mut conn = engine.pool.acquire().await?;
    if from > events::horizon(&mut conn).await? {
        return Err(RunsError::CursorAhead);
    }
    if !events::is_kept(&mut conn, from).await? {
        return Err(RunsError::CursorTooOld);
    }
    Ok(())
}

async fn follow(engine: Arc<Engine>, mut watcher: Watcher, subscription: Subscription) {
    let Subscription { mut items, from } = subscription;
    // The stream begins at once, also where nothing happens.
    if watcher.send(None).await.is_err() || watcher.catch_up(&engine, from).await.is_err() {
        return;
    }
    loop {
        let received = tokio::select! {
            received = items.recv() => received,
            () = watcher.out.closed() => return,
            () = tokio::time::sleep(KEEPALIVE_INTERVAL) => {
                if watcher.send(None).await.is_err() {
                    return;
                }
                continue;
            }
            () = engine.shutdown.cancelled() => {
                let _ = watcher.fail(RunsError::Stopping).await;
                return;
            }
        };
        let done = match received {
            Ok(item) if item.event.cursor > watcher.at => watcher.pass(&item).await,
            Ok(_) => Ok(()),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                items = items.resubscribe();
                match engine.feed.subscribe(&engine.pool).await {
                    Ok(now) => watcher.catch_up(&engine, now.from).await,
                    Err(error) => watcher.fail(error).await,
                }
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if done.is_err() {
            return;
        }
    }
}

impl Watcher {
    /// Reads what was written up to a place.
    async fn catch_up(&mut self, engine: &Engine, to: EventCursor) -> Result<(), Ended> {
        while self.at < to {
            let page = async {
                let mut conn = engine.pool.acquire().await?;
                let found = events::between(&mut conn, self.at, to, MAX_PAGE_EVENTS).await?;
                with_runs(&mut conn, found).await
            };
            let page = match page.await {
                Ok(page) => page,
                Err(error) => return self.fail(error).await,
            };
            let is_full = page.len() as i64 == MAX_PAGE_EVENTS;
            for item in page {
                self.pass(&Arc::new(item)).await?;
            }
            if !is_full {
                self.at = to;
            }
        }
        Ok(())
    }

    /// Sends an event, if the watcher asked for it and may see it.
    async fn pass(&mut self, item: &Arc<FeedItem>) -> Result<(), Ended> {
        self.at = item.event.cursor;
        let is_wanted = self.run.is_none() || self.run == item.event.run;
        if is_wanted && self.scope.holds(item.event.project) {
            self.send(Some(item.clone())).await
        } else {
            Ok(())
        }
    }

    async fn send(&self, item: Option<Arc<FeedItem>>) -> Result<(), Ended> {
        let update = WatchUpdate {
            item,
            cursor: self.at,
        };
        self.out.send(Ok(update)).await.map_err(|_| Ended)
    }

    async fn fail(&self, error: RunsError) -> Result<(), Ended> {
        let _ = self.out.send(Err(error)).await;
        Err(Ended)
    }
}
