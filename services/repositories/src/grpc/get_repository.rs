//! The method `GetRepository`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::project_access;
use tonic::{Request, Status};

use super::request;
use crate::{convert, service::Repositories};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::GetRepositoryRequest>,
) -> Result<pb::GetRepositoryResponse, Status> {
    let name = request::repository(&request.get_ref().repository)?;
    let view = repositories
        .get(&project_access::of(&request), name)
        .await?;
    Ok(pb::GetRepositoryResponse {
        repository: Some(convert::repository(view)),
    })
}
