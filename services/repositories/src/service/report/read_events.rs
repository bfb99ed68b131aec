//! Reads flow events, and requests a report of each run that they are about.
use std::collections::HashSet;

use ck8s_types::RunId;

use crate::{
    domain::report::RunReport, error::Error, service::repositories::Repositories, store::reports,
};

/// Bounds the events that are read at once.
const MAX_EVENTS_PER_READ: i64 = 500;

impl Repositories {
    /// Reads events, and requests reports of their runs. Returns whether there may be more events.
    pub(crate) async fn read_run_events(&self) -> Result<bool, Error> {
        let events = {
            let mut conn = self.pool.acquire().await?;
            let cursor = reports::cursor(&mut conn).await?;
            reports::events(&mut conn, cursor, MAX_EVENTS_PER_READ).await?
        };
        let Some((last, _)) = events.last().copied() else {
            return Ok(false);
        };
        let ids: HashSet<RunId> = events.iter().filter_map(|(_, run)| *run).collect();
        let mut runs = Vec::with_capacity(ids.len());
        for id in ids {
            runs.extend(self.find_run(id).await?);
        }
        let mut tx = self.pool.begin().await?;
        for run in &runs {
            let Some(repository) = run.repository else {
                continue;
            };
            let trigger = &run.trigger;
            if trigger.name.is_empty() {
                continue;
            }
            let report = RunReport {
                run: run.id,
                repository,
                trigger: &trigger.name,
                commit: Some(trigger.commit_sha.as_str()).filter(|sha| !sha.is_empty()),
                // A discussion is no thread of the provider's issues, although it has a number as they do.
                thread: Some(trigger.number)
                    .filter(|number| *number > 0 && !trigger.event.starts_with("discussion")),
                state: run.state.as_str(),
            };
            reports::request(&mut tx, &report).await?;
        }
        reports::advance(&mut tx, last).await?;
        tx.commit().await?;
        Ok(true)
    }
}
