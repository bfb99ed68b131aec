//! Reading runs and their flow events.
use ck8s_types::{ProjectId, RunId};

use super::Requester;
use crate::{
    domain::{EventCursor, EventRecord, Page, Run, RunFilter},
    engine::Engine,
    error::RunsError,
    store::{events, runs},
};

/// Runs, and a cursor from before they were read: a watch from there on misses nothing.
pub(crate) struct RunList {
    pub runs: Page<Run>,
    pub cursor: EventCursor,
}

/// A run, and a cursor from before it was read.
pub(crate) struct RunAt {
    pub run: Run,
    pub cursor: EventCursor,
}

/// Lists runs of one project or of all that the requester may see, newest first, older than `before`.
pub(crate) async fn list_runs(
    engine: &Engine,
    requester: &Requester,
    project: Option<ProjectId>,
    filter: RunFilter,
    before: Option<RunId>,
    size: i64,
) -> Result<RunList, RunsError> {
    let mut filter = RunFilter {
        projects: requester.access.listed(project)?.projects(),
        ..filter
    };
    if filter.projects.is_none() && !filter.states.is_empty() {
        // The index of states begins with the project.
        filter.projects = Some(engine.peers.all_projects().await?);
    }
    let mut conn = engine.pool.acquire().await?;
    // First the cursor, then the runs: watchers hear twice of what happens in between rather than never.
    let cursor = events::horizon(&mut conn).await?;
    let found = runs::list(&mut conn, &filter, before, size + 1).await?;
    Ok(RunList {
        runs: Page::of(found, size),
        cursor,
    })
}

/// Returns a run.
pub(crate) async fn get_run(
    engine: &Engine,
    requester: &Requester,
    run_id: RunId,
) -> Result<RunAt, RunsError> {
    requester.check_visible(run_id)?;
    let mut conn = engine.pool.acquire().await?;
    let cursor = events::horizon(&mut conn).await?;
    let run = requester.run(&mut conn, run_id).await?;
    Ok(RunAt { run, cursor })
}

/// Lists the flow events of a run after a place, oldest first.
pub(crate) async fn list_flow_events(
    engine: &Engine,
    requester: &Requester,
    run_id: RunId,
    after: EventCursor,
    size: i64,
) -> Result<Page<EventRecord>, RunsError> {
    requester.check_visible(run_id)?;
    let mut conn = engine.pool.acquire().await?;
    requester.run(&mut conn, run_id).await?;
    let found = events::of_run(&mut conn, run_id, after, size + 1).await?;
    Ok(Page::of(found, size))
}

/// Returns which of these runs have ended and hold no lease: a worker may remove what is left of them.
pub(crate) async fn filter_sweepable(
    engine: &Engine,
    runs: &[RunId],
) -> Result<Vec<RunId>, RunsError> {
    Ok(runs::sweepable(&mut *engine.pool.acquire().await?, runs).await?)
}
