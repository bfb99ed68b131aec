//! The method `SetProjectSecret`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use tonic::{Request, Status};

use super::request;
use crate::{
    convert,
    domain::fields,
    service::{Repositories, SetProjectSecret},
};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::SetProjectSecretRequest>,
) -> Result<pb::SetProjectSecretResponse, Status> {
    let caller = request::caller(repositories, &request)?;
    let set = request.into_inner();
    let warnings = fields::secret_warnings(&set.value);
    let set = SetProjectSecret {
        project: request::project(set.project)?,
        name: set.name,
        value: request::secret(set.value),
    };
    let secret = repositories.set_project_secret(caller, set).await?;
    Ok(pb::SetProjectSecretResponse {
        secret: secret.map(convert::secret),
        warnings,
    })
}
