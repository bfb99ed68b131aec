//! The method `RemoveRepository`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use tonic::{Request, Status};

use super::request;
use crate::service::Repositories;

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::RemoveRepositoryRequest>,
) -> Result<pb::RemoveRepositoryResponse, Status> {
    let caller = request::caller(repositories, &request)?;
    let name = request::repository(&request.get_ref().repository)?;
    let removal = repositories.remove(caller, name).await?;
    Ok(pb::RemoveRepositoryResponse {
        hook_left: removal.hook_left,
    })
}
