//! AuthenticateRun, and OpenRunSecrets of `LeaseService`.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::caller::caller;
use tonic::{Request, Status};

use crate::{convert::lease_ref_from_pb, engine::Engine, service};

pub(super) async fn open_run_secrets(
    engine: &Engine,
    request: Request<pb::OpenRunSecretsRequest>,
) -> Result<pb::OpenRunSecretsResponse, Status> {
    let caller = caller(&request);
    let lease = lease_ref_from_pb(request.get_ref().lease.as_ref())?;
    let secrets = service::open_run_secrets(engine, lease, caller.certified()).await?;
    Ok(pb::OpenRunSecretsResponse {
        secrets: secrets.into_iter().collect(),
    })
}

pub(super) async fn authenticate_run(
    engine: &Engine,
    request: Request<pb::AuthenticateRunRequest>,
) -> Result<pb::AuthenticateRunResponse, Status> {
    let identity = service::authenticate_run(engine, &request.get_ref().token).await?;
    Ok(pb::AuthenticateRunResponse {
        run_id: identity.run.to_string(),
        project_id: identity.project.to_string(),
    })
}
