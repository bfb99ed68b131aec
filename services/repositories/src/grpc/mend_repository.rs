//! The method `MendRepository`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use tonic::{Request, Status};

use super::request;
use crate::{convert, service::Repositories};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::MendRepositoryRequest>,
) -> Result<pb::MendRepositoryResponse, Status> {
    let caller = request::caller(repositories, &request)?;
    let name = request::repository(&request.get_ref().repository)?;
    let findings = repositories.mend(caller, name).await?;
    Ok(pb::MendRepositoryResponse {
        findings: findings.into_iter().map(convert::finding).collect(),
    })
}
