//! ExplainRun.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::convert::id;
use tonic::{Request, Status};

use super::request::requester;
use crate::{engine::Engine, service};

pub(super) async fn explain_run(
    engine: &Engine,
    request: Request<pb::ExplainRunRequest>,
) -> Result<pb::ExplainRunResponse, Status> {
    let requester = requester(&request);
    let run_id = id("run_id", &request.get_ref().run_id)?;
    let explanation = service::explain_run(engine, &requester, run_id).await?;
    Ok(explanation.into())
}
