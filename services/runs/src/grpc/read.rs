//! ListRuns, GetRun, ListFlowEvents.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{
    access, caller,
    convert::{id, optional_id, state_from_pb},
    page,
};
use ck8s_types::{ProjectId, RunId};
use sqlx::PgConnection;
use tonic::{Request, Status};

use crate::{
    RunsError,
    domain::Run,
    engine::Engine,
    store::{events, events::Cursor, runs},
};

pub async fn list_runs(
    engine: &Engine,
    request: &Request<pb::ListRunsRequest>,
) -> Result<pb::ListRunsResponse, Status> {
    let asked = request.get_ref();
    let size = page::size(asked.page_size)?;
    let filter = runs::Filter {
        projects: projects(request, &asked.project_id)?,
        repository: optional_id("repository_id", &asked.repository_id)?,
        states: asked.states().filter_map(state_from_pb).collect(),
    };
    let before: Option<RunId> = page::decode("page_token", &asked.page_token)?;
    let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
    // First the cursor, then the runs: what happens in between is told twice rather than never.
    let cursor = events::horizon(&mut conn).await.map_err(RunsError::from)?;
    let mut found = runs::list(&mut conn, &filter, before, size + 1).await?;
    let more = found.len() as i64 > size;
    found.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let last = found.last().filter(|_| more).map(|r| r.id);
    Ok(pb::ListRunsResponse {
        next_page_token: last.map(|id| page::encode(&id)).unwrap_or_default(),
        cursor: page::encode(&cursor),
        runs: found.into_iter().map(Into::into).collect(),
    })
}

pub async fn get_run(
    engine: &Engine,
    request: &Request<pb::GetRunRequest>,
) -> Result<pb::GetRunResponse, Status> {
    let run_id = visible_run(request, &request.get_ref().run_id)?;
    let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
    let cursor = events::horizon(&mut conn).await.map_err(RunsError::from)?;
    let run = reached(&mut conn, request, run_id).await?;
    Ok(pb::GetRunResponse {
        run: Some(run.into()),
        cursor: page::encode(&cursor),
    })
}

pub async fn list_flow_events(
    engine: &Engine,
    request: &Request<pb::ListFlowEventsRequest>,
) -> Result<pb::ListFlowEventsResponse, Status> {
    let asked = request.get_ref();
    let run_id = visible_run(request, &asked.run_id)?;
    let size = page::size(asked.page_size)?;
    let after = page::decode("page_token", &asked.page_token)?.unwrap_or(Cursor(0, 0));
    let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
    reached(&mut conn, request, run_id).await?;
    let mut found = events::of_run(&mut conn, run_id, after, size + 1)
        .await
        .map_err(RunsError::from)?;
    let more = found.len() as i64 > size;
    found.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let last = found.last().filter(|_| more).map(|e| e.cursor);
    Ok(pb::ListFlowEventsResponse {
        next_page_token: last.map(|c| page::encode(&c)).unwrap_or_default(),
        events: found.into_iter().map(Into::into).collect(),
    })
}

/// The run that a request names, if its caller may see it. To a run, every other one does not exist.
pub fn visible_run<T>(request: &Request<T>, run_id: &str) -> Result<RunId, Status> {
    let run = id("run_id", run_id)?;
    if caller::caller(request).may_see_run(run) {
        Ok(run)
    } else {
        Err(RunsError::NoRun(run).into())
    }
}

/// A run, if the caller may do in its project what the method asks for. What they may not see, is not there.
pub async fn reached<T>(
    conn: &mut PgConnection,
    request: &Request<T>,
    run_id: RunId,
) -> Result<Run, Status> {
    let access = access::of(request);
    let run = runs::get(conn, run_id).await?;
    access.project(run.project, || RunsError::NoRun(run_id).into())?;
    Ok(run)
}

/// The projects of a list: the one that is named, or all that the caller may see; none: every one.
pub fn projects<T>(
    request: &Request<T>,
    project_id: &str,
) -> Result<Option<Vec<ProjectId>>, Status> {
    let named = optional_id("project_id", project_id)?;
    Ok(access::of(request).listed(named)?.projects())
}
