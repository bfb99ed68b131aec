//! One run for one caller: StartRun and RetryRun make it and show it.
use ck8s_db::request_ids::RequestKey;
use tokio::sync::oneshot;

use super::Requester;
use crate::{
    domain::{NewRun, Run},
    engine::{CreateRuns, Engine},
    error::RunsError,
    store::runs,
};

/// Makes a run. Returns, of a request that was answered before, the run that was made then: the requester must still
/// reach it.
pub(super) async fn make_run(
    engine: &Engine,
    requester: &Requester,
    new: NewRun,
    request: Option<RequestKey>,
) -> Result<Run, RunsError> {
    let (reply, created) = oneshot::channel();
    let creation = CreateRuns {
        runs: vec![new],
        request,
        reply,
    };
    engine.create(creation).await?;
    let created = created.await.map_err(|_| RunsError::Stopping)?;
    let run_id = created.into_iter().next().ok_or(RunsError::Stopping)??;
    let run = runs::get(&mut *engine.pool.acquire().await?, run_id).await?;
    requester.check_run(&run)?;
    Ok(run)
}
