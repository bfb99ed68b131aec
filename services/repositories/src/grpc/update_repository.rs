//! The method `UpdateRepository`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::status;
use tonic::{Request, Status};

use super::request;
use crate::{
    convert,
    service::{Repositories, UpdateRepository},
};

const MASK: &str =
    "must name what changes: full_name, default_branch, services_text, services_path";

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::UpdateRepositoryRequest>,
) -> Result<pb::UpdateRepositoryResponse, Status> {
    let caller = request::caller(repositories, &request)?;
    let update = decode(request.into_inner())?;
    let view = repositories.update(caller, update).await?;
    Ok(pb::UpdateRepositoryResponse {
        repository: Some(convert::repository(view)),
    })
}

fn decode(request: pb::UpdateRepositoryRequest) -> Result<UpdateRepository, Status> {
    request::repository(&request.repository)?;
    let mask = request.update_mask.unwrap_or_default().paths;
    if mask.is_empty() {
        return Err(status::invalid("update_mask", MASK));
    }
    let mut update = UpdateRepository {
        repository: request.repository,
        etag: request.etag,
        ..UpdateRepository::default()
    };
    for path in mask {
        match path.as_str() {
            "full_name" => update.full_name = Some(request.full_name.clone()),
            "default_branch" => update.default_branch = Some(request.default_branch.clone()),
            "services_path" => update.services_path = Some(request.services_path.clone()),
            "services_text" => update.services_text = Some(request.services_text.clone()),
            _ => return Err(status::invalid("update_mask", MASK)),
        }
    }
    Ok(update)
}
