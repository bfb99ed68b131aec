//! The method `MayWrite`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{convert, status};
use tonic::{Request, Status};

use crate::{
    domain::repository::WriteAccess,
    service::{ProviderUser, Repositories},
};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::MayWriteRequest>,
) -> Result<pb::MayWriteResponse, Status> {
    let ask = request.into_inner();
    let repository = convert::id("repository_id", &ask.repository_id)?;
    if ask.login.is_empty() {
        return Err(status::invalid("login", "must be a name at the provider"));
    }
    let user = ProviderUser {
        login: ask.login,
        external_id: ask.external_id,
    };
    let access = repositories.may_write(repository, &user).await?;
    Ok(pb::MayWriteResponse {
        may_write: access == WriteAccess::Allowed,
        is_own_actor: access == WriteAccess::OwnActor,
    })
}
