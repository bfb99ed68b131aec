//! Workers: listing them, and asking them to take no more work.
use ck8s_db::{
    events::{self, FlowEvent},
    request_ids::{Claim, RequestKey},
};
use ck8s_types::{EventKind, WorkerId};

use super::Requester;
use crate::{
    domain::{Page, Worker},
    engine::Engine,
    error::RunsError,
    store::{request_ids::REQUESTS, workers},
};

/// Lists workers in the order of their ids, after one of them.
pub(crate) async fn list_workers(
    engine: &Engine,
    after: Option<&WorkerId>,
    size: i64,
) -> Result<Page<Worker>, RunsError> {
    let mut conn = engine.pool.acquire().await?;
    let found = workers::list(&mut conn, after, size + 1).await?;
    Ok(Page::of(found, size))
}

/// Sets whether a worker takes no more work. Returns the worker as it is then.
pub(crate) async fn drain_worker(
    engine: &Engine,
    requester: &Requester,
    worker: &WorkerId,
    draining: bool,
    request: Option<RequestKey>,
) -> Result<Worker, RunsError> {
    let event = FlowEvent {
        kind: if draining {
            EventKind::WorkerDraining
        } else {
            EventKind::WorkerUndrained
        },
        project_id: None,
        run_id: None,
        actor: requester.actor(),
        message: format!("worker {worker}"),
        data: None,
    };
    let missing = || RunsError::NoWorker(worker.to_string());
    let mut tx = engine.pool.begin().await?;
    if REQUESTS.claim(&mut tx, request.as_ref()).await? == Claim::First {
        if !workers::set_draining(&mut tx, worker, draining).await? {
            return Err(missing());
        }
        events::record(&mut tx, &[event]).await?;
        tx.commit().await?;
        engine.set_draining(worker, draining);
    }
    let mut conn = engine.pool.acquire().await?;
    workers::get(&mut conn, worker).await?.ok_or_else(missing)
}
