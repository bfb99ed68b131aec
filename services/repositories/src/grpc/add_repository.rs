//! The method `AddRepository`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use tonic::{Request, Status};

use super::request;
use crate::{
    convert,
    service::{AddRepository, Repositories},
};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::AddRepositoryRequest>,
) -> Result<pb::AddRepositoryResponse, Status> {
    let caller = request::caller(repositories, &request)?;
    let add = request.into_inner();
    let add = AddRepository {
        project: request::project(add.project)?,
        full_name: add.full_name,
        external_id: add.external_id,
        default_branch: add.default_branch,
        services_text: add.services_text,
        webhook_secret: request::secret(add.webhook_secret),
        services_path: add.services_path,
        credential: add.credential.map(convert::new_credential).transpose()?,
    };
    let added = repositories.add(caller, add).await?;
    Ok(pb::AddRepositoryResponse {
        repository: Some(convert::repository(added.view)),
        webhook_secret: convert::shown_secret(added.webhook_secret.as_ref()),
    })
}
