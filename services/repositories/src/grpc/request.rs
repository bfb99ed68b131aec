//! What most requests have in common: who calls, under which request id, and which repository they name.
use ck8s_proto::repositories::v1 as pb;
use ck8s_rpc::{caller, convert, project_access, status};
use ck8s_types::RequestId;
use prost::Message;
use secrecy::SecretString;
use tonic::{Request, Status};

use crate::{domain::caller::Caller, service::Repositories};

/// A request that changes something, and may be repeated under its request id.
pub(super) trait MutatingRequest: Message {
    const METHOD: &'static str;

    fn request_id(&self) -> &str;
}

macro_rules! mutating_requests {
    ($($request:ident => $method:literal),+ $(,)?) => {
        $(impl MutatingRequest for pb::$request {
            const METHOD: &'static str = $method;

            fn request_id(&self) -> &str {
                &self.request_id
            }
        })+
    };
}

mutating_requests!(
    AddRepositoryRequest => "AddRepository",
    UpdateRepositoryRequest => "UpdateRepository",
    RemoveRepositoryRequest => "RemoveRepository",
    RotateWebhookSecretRequest => "RotateWebhookSecret",
    RotateCredentialRequest => "RotateCredential",
    SetSecretRequest => "SetSecret",
    SetProjectSecretRequest => "SetProjectSecret",
    MendRepositoryRequest => "MendRepository",
    ResealRequest => "Reseal",
);

/// Returns who makes a change, with the key of their request.
pub(super) fn caller<T: MutatingRequest>(
    repositories: &Repositories,
    request: &Request<T>,
) -> Result<Caller, Status> {
    let content = request.get_ref();
    let id: Option<RequestId> = convert::optional_id("request_id", content.request_id())?;
    let key = id.map(|id| repositories.request_key(id, T::METHOD, &content.encode_to_vec()));
    Ok(Caller {
        access: project_access::of(request),
        actor: caller::caller(request).actor(),
        request: key.transpose()?,
    })
}

/// Checks that a request names a repository.
pub(super) fn repository(name: &str) -> Result<&str, Status> {
    if name.is_empty() {
        return Err(status::invalid("repository", "must be an id or owner/name"));
    }
    Ok(name)
}

/// Checks that a request names a project.
pub(super) fn project(name: String) -> Result<String, Status> {
    if name.is_empty() {
        return Err(status::invalid("project", "must name a project"));
    }
    Ok(name)
}

/// Returns a secret; none: the field is empty.
pub(super) fn secret(text: String) -> Option<SecretString> {
    (!text.is_empty()).then(|| text.into())
}
