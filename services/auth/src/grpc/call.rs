//! Decodes what all mutating methods share: the caller, the request id, and the content that a repeated request must
//! have.
use ck8s_db::request_ids::RequestKey;
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::{caller::caller, convert::optional_id};
use prost::Message;
use tonic::{Request, Status};

use crate::service::Call;

/// A request that changes something, and may be repeated with the same request id.
pub(super) trait MutatingRequest: Message {
    /// The method's name, by which request ids are told apart.
    const METHOD: &'static str;

    /// Returns the request id as the caller wrote it; empty if there is none.
    fn request_id(&self) -> &str;
}

macro_rules! mutating {
    ($($message:ident: $method:literal,)*) => {$(
        impl MutatingRequest for pb::$message {
            const METHOD: &'static str = $method;

            fn request_id(&self) -> &str {
                &self.request_id
            }
        }
    )*};
}

mutating! {
    CreateTokenRequest: "CreateToken",
    RevokeTokenRequest: "RevokeToken",
    RotateSigningKeyRequest: "RotateSigningKey",
    ResealRequest: "Reseal",
    AddUserRequest: "AddUser",
    UpdateUserRequest: "UpdateUser",
    RemoveUserRequest: "RemoveUser",
    CreateProjectRequest: "CreateProject",
    UpdateProjectRequest: "UpdateProject",
    DeleteProjectRequest: "DeleteProject",
    AddMemberRequest: "AddMember",
    UpdateMemberRequest: "UpdateMember",
    RemoveMemberRequest: "RemoveMember",
}

/// Decodes a mutating call. The request id of a person is their own: nobody else gets the result of their call.
pub(super) fn call<M: MutatingRequest>(request: &Request<M>) -> Result<Call, Status> {
    let (caller, message) = (caller(request), request.get_ref());
    let id = optional_id("request_id", message.request_id())?;
    let content = message.encode_to_vec();
    let request = id.map(|id| match caller.person() {
        Some(person) => {
            let method = format!("{} of {}", M::METHOD, person.user_id);
            RequestKey::new(id, method, &content)
        }
        None => RequestKey::new(id, M::METHOD, &content),
    });
    Ok(Call {
        actor: caller.actor(),
        request,
    })
}
