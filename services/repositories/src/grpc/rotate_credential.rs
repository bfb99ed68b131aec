//! The method `RotateCredential`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use tonic::{Request, Status};

use super::request;
use crate::{convert, service::Repositories};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::RotateCredentialRequest>,
) -> Result<pb::RotateCredentialResponse, Status> {
    let caller = request::caller(repositories, &request)?;
    let rotate = request.into_inner();
    let credential = convert::other_credential(rotate.credential)?;
    let name = request::repository(&rotate.repository)?;
    let view = repositories
        .rotate_credential(caller, name, credential)
        .await?;
    Ok(pb::RotateCredentialResponse {
        repository: Some(convert::repository(view)),
    })
}
