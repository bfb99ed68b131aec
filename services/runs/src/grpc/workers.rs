//! ListWorkers, DrainWorker.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{convert::id, page};
use ck8s_types::WorkerId;
use tonic::{Request, Status};

use super::request::{request_key, requester};
use crate::{engine::Engine, error::RunsError, service};

pub(super) async fn list_workers(
    engine: &Engine,
    request: Request<pb::ListWorkersRequest>,
) -> Result<pb::ListWorkersResponse, Status> {
    let request = request.into_inner();
    let size = page::size(request.page_size)?;
    let after: Option<String> = page::decode("page_token", &request.page_token)?;
    let after: Option<WorkerId> = after.map(|text| id("page_token", &text)).transpose()?;
    let workers = service::list_workers(engine, after.as_ref(), size).await?;
    let last = workers.last().map(|worker| page::encode(&worker.id));
    Ok(pb::ListWorkersResponse {
        next_page_token: last.unwrap_or_default(),
        workers: workers.items.into_iter().map(Into::into).collect(),
    })
}

pub(super) async fn drain_worker(
    engine: &Engine,
    request: Request<pb::DrainWorkerRequest>,
) -> Result<pb::DrainWorkerResponse, Status> {
    let requester = requester(&request);
    let request = request.into_inner();
    let key = request_key("DrainWorker", &request.request_id, &request)?;
    // A text that is no worker's id is no worker's.
    let worker: WorkerId = request
        .worker_id
        .parse()
        .map_err(|_| RunsError::NoWorker(request.worker_id.clone()))?;
    let worker = service::drain_worker(engine, &requester, &worker, !request.undo, key).await?;
    Ok(pb::DrainWorkerResponse {
        worker: Some(worker.into()),
    })
}
