//! The change feed: one reader of flow events per process tells every watcher, so a watcher costs no SQL of its own.
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use ck8s_proto::runs::v1::{FlowEvent, Run};
use ck8s_types::{ProjectId, RunId};
use tokio::sync::{Notify, broadcast};

use super::Engine;
use crate::{
    RunsError,
    store::{
        events::{self, Cursor, Event},
        runs,
    },
};

/// What a watcher may lag behind before it has to read from the database again.
const BACKLOG: usize = 4096;
/// Most events of one reading.
const PAGE: i64 = 1000;
/// The safety net for a lost wake-up.
const SWEEP: Duration = Duration::from_secs(1);

/// An event as watchers are told of it, with its run as it is now.
pub struct Told {
    pub cursor: Cursor,
    pub project: Option<ProjectId>,
    pub run_id: Option<RunId>,
    pub event: FlowEvent,
    pub run: Option<Run>,
}

/// The feed of one process.
pub struct Feed {
    told: broadcast::Sender<Arc<Told>>,
    woken: Notify,
    /// Up to here everything has been told to those who listen; none: nobody listens.
    position: Mutex<Option<Cursor>>,
}

impl Feed {
    pub fn new() -> Self {
        Self {
            told: broadcast::channel(BACKLOG).0,
            woken: Notify::new(),
            position: Mutex::new(None),
        }
    }

    /// Events may have been written.
    pub fn wake(&self) {
        if self.told.receiver_count() > 0 {
            self.woken.notify_one();
        }
    }

    fn position(&self) -> std::sync::MutexGuard<'_, Option<Cursor>> {
        self.position
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Engine {
    /// Listens from now on. Everything after the place that comes with it will be heard; some of what is before it may be, too.
    pub async fn listen(&self) -> Result<(broadcast::Receiver<Arc<Told>>, Cursor), RunsError> {
        let receiver = self.feed.told.subscribe();
        if let Some(position) = *self.feed.position() {
            return Ok((receiver, position));
        }
        let horizon = events::horizon(&mut *self.pool.acquire().await?).await?;
        let position = *self.feed.position().get_or_insert(horizon);
        Ok((receiver, position))
    }

    /// Events with their runs.
    pub async fn told(&self, found: Vec<Event>) -> Result<Vec<Told>, RunsError> {
        let mut ids: Vec<uuid::Uuid> = found
            .iter()
            .filter_map(|e| e.run.map(|r| r.uuid()))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let runs = runs::get_many(&mut *self.pool.acquire().await?, &ids).await?;
        let runs: std::collections::HashMap<RunId, Run> =
            runs.into_iter().map(|r| (r.id, r.into())).collect();
        Ok(found
            .into_iter()
            .map(|e| Told {
                cursor: e.cursor,
                project: e.project,
                run_id: e.run,
                run: e.run.and_then(|id| runs.get(&id).cloned()),
                event: e.into(),
            })
            .collect())
    }
}

/// Reads and tells, until shutdown.
pub async fn run(engine: Arc<Engine>) {
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = engine.feed.woken.notified() => {}
            _ = sweep.tick() => {}
            () = engine.shutdown.cancelled() => return,
        }
        {
            let mut position = engine.feed.position();
            if engine.feed.told.receiver_count() == 0 {
                *position = None;
                continue;
            }
        }
        if let Err(error) = tell(&engine).await {
            tracing::warn!(%error, "the change feed failed; it reads again");
        }
    }
}

async fn tell(engine: &Engine) -> Result<(), RunsError> {
    let Some(mut position) = *engine.feed.position() else {
        return Ok(());
    };
    let horizon = events::horizon(&mut *engine.pool.acquire().await?).await?;
    while position < horizon {
        let found =
            events::between(&mut *engine.pool.acquire().await?, position, horizon, PAGE).await?;
        let full = found.len() as i64 == PAGE;
        position = match found.last() {
            Some(last) if full => last.cursor,
            _ => horizon,
        };
        for told in engine.told(found).await? {
            // Nobody listens any more: the next one starts anew.
            let _ = engine.feed.told.send(Arc::new(told));
        }
        *engine.feed.position() = Some(position);
    }
    Ok(())
}
