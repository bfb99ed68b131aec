//! `RemoveRepository`.
use ck8s_proto::repositories::v1 as pb;
use tonic::{Request, Status};

use super::request;
use crate::service::Repositories;

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::RemoveRepositoryRequest>,
) -> Result<pb::RemoveRepositoryResponse, Status> {
    let request_id = &request.get_ref().request_id;
    let caller = request::caller(repositories, &request, "RemoveRepository", request_id)?;
    let name = request::repository(&request.get_ref().repository)?;
    let removal = repositories.remove(caller, name).await?;
    Ok(pb::RemoveRepositoryResponse {
        hook_left: removal.hook_left,
    })
}
