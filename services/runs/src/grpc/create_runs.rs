//! CreateRuns.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::status;
use tonic::{Request, Status};

use crate::{
    domain::{CreateResult, DeliveryRun},
    engine::Engine,
    service,
};

/// Runs of one call: it bounds the time that a call takes.
const MAX_RUNS: usize = 1000;

/// One run that cannot be made fails alone: its result has the error.
pub(super) async fn create_runs(
    engine: &Engine,
    request: Request<pb::CreateRunsRequest>,
) -> Result<pb::CreateRunsResponse, Status> {
    let requested = request.into_inner().runs;
    if requested.len() > MAX_RUNS {
        return Err(status::invalid("runs", format!("at most {MAX_RUNS}")));
    }
    let mut results = vec![pb::CreateRunResult::default(); requested.len()];
    let mut valid = Vec::with_capacity(requested.len());
    let mut runs = Vec::with_capacity(requested.len());
    for (result, new) in results.iter_mut().zip(requested) {
        match DeliveryRun::try_from(new) {
            Ok(run) => {
                valid.push(result);
                runs.push(run);
            }
            Err(fault) => fault.message().clone_into(&mut result.error),
        }
    }
    let created = service::create_runs(engine, runs).await?;
    for (result, created) in valid.into_iter().zip(created) {
        match created {
            CreateResult::Created(run) => result.run_id = run.to_string(),
            CreateResult::OwnerGone => {
                "its project or repository is gone".clone_into(&mut result.error);
            }
        }
    }
    Ok(pb::CreateRunsResponse { results })
}
