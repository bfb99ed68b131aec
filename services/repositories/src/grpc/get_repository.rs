//! The method `GetRepository`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{convert, project_access, status};
use ck8s_types::ProjectId;
use tonic::{Request, Status};

use super::request;
use crate::{convert::repository, service::Repositories};

/// Bounds the projects that a call is limited to, as the contract says.
const MAX_PROJECT_IDS: usize = 10_000;

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::GetRepositoryRequest>,
) -> Result<pb::GetRepositoryResponse, Status> {
    let name = request::repository(&request.get_ref().repository)?;
    let projects = &request.get_ref().project_ids;
    if projects.len() > MAX_PROJECT_IDS {
        return Err(status::invalid("project_ids", "more than 10,000"));
    }
    let projects: Vec<ProjectId> = projects
        .iter()
        .map(|id| convert::id("project_ids", id))
        .collect::<Result<_, _>>()?;
    let access = project_access::of(&request);
    let view = repositories.get(&access, name, &projects).await?;
    Ok(pb::GetRepositoryResponse {
        repository: Some(repository(view)),
    })
}
