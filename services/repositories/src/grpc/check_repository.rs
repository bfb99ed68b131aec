//! The method `CheckRepository`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::project_access;
use tonic::{Request, Status};

use super::request;
use crate::{convert, service::Repositories};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::CheckRepositoryRequest>,
) -> Result<pb::CheckRepositoryResponse, Status> {
    let name = request::repository(&request.get_ref().repository)?;
    let findings = repositories
        .check(&project_access::of(&request), name)
        .await?;
    Ok(pb::CheckRepositoryResponse {
        findings: findings.into_iter().map(convert::finding).collect(),
    })
}
