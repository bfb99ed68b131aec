//! ListActivities and WatchActivities: what the agent of a run did, and does.
use std::{sync::Arc, time::Duration};

use ck8s_types::RunId;
use tokio::sync::{broadcast, mpsc};

use super::Requester;
use crate::{
    domain::{Activity, ActivityPlace, AgentReport, Page},
    engine::Engine,
    error::RunsError,
    store::{agents, runs},
};

/// Activities of one reading: it bounds the memory that a reading takes.
const MAX_PAGE_ACTIVITIES: i64 = 64;
/// Pages that may wait for a slow reader.
const MAX_QUEUED_PAGES: usize = 8;
/// How often a watcher looks by itself: what another replica stored wakes nobody here.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How often a stream says that it lives while nothing happens.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// One message of a watch.
pub(crate) struct ActivityUpdate {
    pub activities: Vec<Activity>,
    pub report: Option<AgentReport>,
}

struct Watcher {
    run: RunId,
    at: ActivityPlace,
    out: mpsc::Sender<Result<ActivityUpdate, RunsError>>,
}

/// Lists the activities of a run after a place, oldest first.
pub(crate) async fn list_activities(
    engine: &Engine,
    requester: &Requester,
    run: RunId,
    after: ActivityPlace,
    size: i64,
) -> Result<Page<Activity>, RunsError> {
    let mut conn = engine.pool.acquire().await?;
    requester.run(&mut conn, run).await?;
    let found = agents::activities(&mut conn, run, after, size + 1).await?;
    Ok(Page::of(found, size))
}

/// Starts a watch that ends with the run. Returns its updates.
pub(crate) async fn watch_activities(
    engine: &Arc<Engine>,
    requester: &Requester,
    run: RunId,
    after: ActivityPlace,
) -> Result<mpsc::Receiver<Result<ActivityUpdate, RunsError>>, RunsError> {
    {
        let mut conn = engine.pool.acquire().await?;
        requester.run(&mut conn, run).await?;
    }
    let (out, updates) = mpsc::channel(MAX_QUEUED_PAGES);
    let watcher = Watcher {
        run,
        at: after,
        out,
    };
    let engine = engine.clone();
    let growth = engine.agent_growth.subscribe();
    tokio::spawn(async move {
        let out = watcher.out.clone();
        if let Err(error) = watcher.watch(&engine, growth).await {
            let _ = out.send(Err(error)).await;
        }
    });
    Ok(updates)
}

impl Watcher {
    async fn watch(
        mut self,
        engine: &Engine,
        mut growth: broadcast::Receiver<RunId>,
    ) -> Result<(), RunsError> {
        let mut told = None;
        let mut quiet_since = tokio::time::Instant::now();
        loop {
            // First whether it goes on, then what there is: so nothing that was stored before its end is missed.
            let (run, activities, report) = {
                let mut conn = engine.pool.acquire().await?;
                let run = runs::get(&mut conn, self.run).await?;
                let found = agents::activities(&mut conn, self.run, self.at, MAX_PAGE_ACTIVITIES);
                let found = found.await?;
                (run, found, agents::report(&mut conn, self.run).await?)
            };
            let is_full = activities.len() as i64 == MAX_PAGE_ACTIVITIES;
            if let Some(last) = activities.last() {
                self.at = last.place;
            }
            let is_news = !activities.is_empty() || told.as_ref() != Some(&report);
            if is_news || quiet_since.elapsed() >= KEEPALIVE_INTERVAL {
                quiet_since = tokio::time::Instant::now();
                told = Some(report.clone());
                let update = ActivityUpdate { activities, report };
                if self.out.send(Ok(update)).await.is_err() {
                    return Ok(());
                }
            }
            if is_full {
                continue;
            }
            if run.state.is_terminal() || !self.wait(engine, &mut growth).await {
                return Ok(());
            }
        }
    }

    /// Waits until there may be more. False: nobody watches, or the server stops.
    async fn wait(&self, engine: &Engine, growth: &mut broadcast::Receiver<RunId>) -> bool {
        let poll = tokio::time::sleep(POLL_INTERVAL);
        tokio::pin!(poll);
        loop {
            tokio::select! {
                run = growth.recv() => if !matches!(run, Ok(id) if id != self.run) { return true },
                () = &mut poll => return true,
                () = self.out.closed() => return false,
                () = engine.shutdown.cancelled() => return false,
            }
        }
    }
}
