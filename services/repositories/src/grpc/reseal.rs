//! The method `Reseal`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use tonic::{Request, Status};

use super::request;
use crate::service::Repositories;

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::ResealRequest>,
) -> Result<pb::ResealResponse, Status> {
    let caller = request::caller(repositories, &request)?;
    let summary = repositories.reseal(caller).await?;
    Ok(pb::ResealResponse {
        key_id: summary.key_id,
        resealed: summary.resealed,
        idle_key_ids: summary.idle_key_ids,
    })
}
