//! The method `MayWrite`: decodes the request, calls the use case, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{convert, status};
use tonic::{Request, Status};

use crate::{
    convert::pull_request_head,
    domain::repository::WriteAccess,
    service::{ProviderUser, Repositories},
};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::MayWriteRequest>,
) -> Result<pb::MayWriteResponse, Status> {
    let ask = request.into_inner();
    let repository = convert::id("repository_id", &ask.repository_id)?;
    if ask.login.is_empty() && ask.pull_request == 0 {
        return Err(status::invalid("login", "must be a name at the provider"));
    }
    let access = match ask.login.is_empty() {
        true => None,
        false => {
            let user = ProviderUser {
                login: ask.login,
                external_id: ask.external_id,
            };
            Some(repositories.may_write(repository, &user).await?)
        }
    };
    // Whoever may not write learns nothing more, and the provider is spared a request.
    let wants_head = ask.pull_request != 0 && access.is_none_or(|a| a == WriteAccess::Allowed);
    let head = match wants_head {
        true => Some(
            repositories
                .pull_request_head(repository, ask.pull_request)
                .await?,
        ),
        false => None,
    };
    Ok(pb::MayWriteResponse {
        may_write: access == Some(WriteAccess::Allowed),
        is_own_actor: access == Some(WriteAccess::OwnActor),
        head: head.map(pull_request_head),
    })
}
