//! The method `MayWrite`: decodes the request, calls the use cases, encodes the response.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{convert, status};
use tonic::{Request, Status};

use crate::{
    convert::{change, changed_files, pull_request_head},
    domain::repository::WriteAccess,
    service::{ProviderUser, Repositories},
};

pub(super) async fn call(
    repositories: &Repositories,
    request: Request<pb::MayWriteRequest>,
) -> Result<pb::MayWriteResponse, Status> {
    let ask = request.into_inner();
    let repository = convert::id("repository_id", &ask.repository_id)?;
    let change = ask.change.map(change);
    if ask.login.is_empty() && ask.pull_request == 0 && change.is_none() {
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
    let mut response = pb::MayWriteResponse {
        may_write: access == Some(WriteAccess::Allowed),
        is_own_actor: access == Some(WriteAccess::OwnActor),
        ..pb::MayWriteResponse::default()
    };
    // Whoever may not write learns nothing more, and the provider is spared requests.
    if access.is_some_and(|access| access != WriteAccess::Allowed) {
        return Ok(response);
    }
    if ask.pull_request != 0 {
        let head = repositories.pull_request_head(repository, ask.pull_request);
        response.head = Some(pull_request_head(head.await?));
    }
    if let Some(change) = change {
        let files = repositories.changed_files(repository, &change).await?;
        response.changed_files = Some(changed_files(files));
    }
    Ok(response)
}
