//! The method `ListScheduledRepositories`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::page;
use tonic::{Request, Status};

use crate::service::Repositories;

/// Bounds a page, as the contract says.
const MAX_PAGE_SIZE: usize = 1_000;

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::ListScheduledRepositoriesRequest>,
) -> Result<pb::ListScheduledRepositoriesResponse, Status> {
    let request = request.into_inner();
    let after = page::decode("page_token", &request.page_token)?;
    let limit = match usize::try_from(request.page_size) {
        Ok(size @ 1..=MAX_PAGE_SIZE) => size,
        _ => MAX_PAGE_SIZE,
    };
    let (external_ids, next) = repositories.list_scheduled(after, limit).await?;
    Ok(pb::ListScheduledRepositoriesResponse {
        external_ids,
        next_page_token: next.map(|id| page::encode(&id)).unwrap_or_default(),
    })
}
