//! What most requests have in common: who calls, under which request id, and which repository they name.
use ck8s_db::requests::RequestKey;
use ck8s_rpc::{access, caller, convert, status};
use ck8s_types::RequestId;
use prost::Message;
use secrecy::SecretString;
use tonic::{Request, Status};

use crate::{domain::caller::Caller, service::Repositories};

/// Returns who makes a change, with the key of their request.
pub(super) fn caller<T: Message>(
    repositories: &Repositories,
    request: &Request<T>,
    method: &'static str,
    request_id: &str,
) -> Result<Caller, Status> {
    let id: Option<RequestId> = convert::optional_id("request_id", request_id)?;
    let content = request.get_ref().encode_to_vec();
    let key = id.map(|id| repositories.request_key(id, method, &content));
    let request_key: Option<RequestKey> = key.transpose()?;
    Ok(Caller {
        access: access::of(request),
        actor: caller::caller(request).actor(),
        request: request_key,
    })
}

/// Checks that a request names a repository.
pub(super) fn repository(name: &str) -> Result<&str, Status> {
    if name.is_empty() {
        return Err(status::invalid("repository", "must be an id or owner/name"));
    }
    Ok(name)
}

/// Returns a secret; none: the field is empty.
pub(super) fn secret(text: String) -> Option<SecretString> {
    (!text.is_empty()).then(|| text.into())
}
