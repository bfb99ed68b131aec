//! ListRuns, GetRun, StartRun, RetryRun, CancelRun.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{
    convert::{id, optional_id},
    page,
};
use ck8s_types::RunId;
use tonic::{Request, Status};

use super::request::{message, request_key, requester};
use crate::{
    convert,
    domain::{RunFilter, StartRun},
    engine::Engine,
    service,
};

/// The length of the reason of a cancel that is kept, in characters.
const MAX_MESSAGE_CHARS: usize = 1000;

pub(super) async fn list_runs(
    engine: &Engine,
    request: Request<pb::ListRunsRequest>,
) -> Result<pb::ListRunsResponse, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let project = optional_id("project_id", &request.project_id)?;
    let filter = RunFilter {
        projects: None,
        repository: optional_id("repository_id", &request.repository_id)?,
        states: convert::states_from_pb(&request.states)?,
    };
    let before: Option<RunId> = page::decode("page_token", &request.page_token)?;
    let size = page::size(request.page_size)?;
    let list = service::list_runs(engine, &requester, project, filter, before, size).await?;
    let (items, has_more) = (list.runs.items, list.runs.has_more);
    let mut ids: Vec<RunId> = items.iter().map(|run| run.id).collect();
    let mut runs: Vec<pb::Run> = items.into_iter().map(Into::into).collect();
    let has_more = page::shorten(&mut runs) || has_more;
    ids.truncate(runs.len());
    let last = ids.pop().filter(|_| has_more);
    Ok(pb::ListRunsResponse {
        next_page_token: last.map(|id| page::encode(&id)).unwrap_or_default(),
        cursor: page::encode(&engine.clusters.key(list.cursor)),
        runs,
    })
}

pub(super) async fn get_run(
    engine: &Engine,
    request: Request<pb::GetRunRequest>,
) -> Result<pb::GetRunResponse, Status> {
    let requester = requester(&request);
    let run_id = id("run_id", &request.get_ref().run_id)?;
    let found = service::get_run(engine, &requester, run_id).await?;
    Ok(pb::GetRunResponse {
        run: Some(found.run.into()),
        cursor: page::encode(&engine.clusters.key(found.cursor)),
    })
}

pub(super) async fn start_run(
    engine: &Engine,
    request: Request<pb::StartRunRequest>,
) -> Result<pb::StartRunResponse, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let key = request_key("StartRun", &request.request_id, &request)?;
    let start = StartRun::try_from(request)?;
    let run = service::start_run(engine, &requester, start, key).await?;
    Ok(pb::StartRunResponse {
        run: Some(run.into()),
    })
}

pub(super) async fn retry_run(
    engine: &Engine,
    request: Request<pb::RetryRunRequest>,
) -> Result<pb::RetryRunResponse, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let key = request_key("RetryRun", &request.request_id, &request)?;
    let run_id = id("run_id", &request.run_id)?;
    let run = service::retry_run(engine, &requester, run_id, key).await?;
    Ok(pb::RetryRunResponse {
        run: Some(run.into()),
    })
}

pub(super) async fn cancel_run(
    engine: &Engine,
    request: Request<pb::CancelRunRequest>,
) -> Result<pb::CancelRunResponse, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let key = request_key("CancelRun", &request.request_id, &request)?;
    let run_id = id("run_id", &request.run_id)?;
    let message = message(&request.message, MAX_MESSAGE_CHARS);
    let run = service::cancel_run(engine, &requester, run_id, message, key).await?;
    Ok(pb::CancelRunResponse {
        run: Some(run.into()),
    })
}
