//! The method `SetSecret`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use tonic::{Request, Status};

use super::request;
use crate::{
    convert,
    domain::fields,
    service::{Repositories, SetSecret},
};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::SetSecretRequest>,
) -> Result<pb::SetSecretResponse, Status> {
    let caller = request::caller(repositories, &request)?;
    let set = request.into_inner();
    request::repository(&set.repository)?;
    let warnings = fields::secret_warnings(&set.value);
    let set = SetSecret {
        repository: set.repository,
        name: set.name,
        value: request::secret(set.value),
        binding: set.binding.map(convert::binding).transpose()?,
    };
    let view = repositories.set_secret(caller, set).await?;
    Ok(pb::SetSecretResponse {
        repository: Some(convert::repository(view)),
        warnings,
    })
}
