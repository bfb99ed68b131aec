//! Between the contract's messages and the domain.
mod person;
mod session;

use ck8s_proto::{auth::v1 as pb, policy::v1 as policy};
use ck8s_rpc::{
    Caller,
    convert::{moment, timestamp},
    status,
};
use tonic::Status;

use crate::domain::{NewToken, Project, Token, TokenKind};

impl From<&TokenKind> for pb::TokenKind {
    fn from(kind: &TokenKind) -> Self {
        match kind {
            TokenKind::Admin => Self::Admin,
            TokenKind::Worker => Self::Worker,
            TokenKind::Service(_) => Self::Service,
            TokenKind::Join => Self::Join,
        }
    }
}

impl From<Token> for pb::Token {
    fn from(token: Token) -> Self {
        Self {
            id: token.id.to_string(),
            kind: pb::TokenKind::from(&token.kind).into(),
            service: token.kind.service().unwrap_or_default().to_owned(),
            name: token.name,
            create_time: Some(timestamp(token.created_at)),
            expire_time: token.expires_at.map(timestamp),
            last_use_time: token.last_used_at.map(timestamp),
            revoke_time: token.revoked_at.map(timestamp),
            ..Self::default()
        }
    }
}

impl From<Token> for pb::AuthenticateResponse {
    fn from(token: Token) -> Self {
        Self {
            token_id: token.id.to_string(),
            kind: pb::TokenKind::from(&token.kind).into(),
            service: token.kind.service().unwrap_or_default().to_owned(),
            name: token.name,
            expire_time: token.expires_at.map(timestamp),
            ..Self::default()
        }
    }
}

impl TryFrom<pb::CreateTokenRequest> for NewToken {
    type Error = Status;

    fn try_from(request: pb::CreateTokenRequest) -> Result<Self, Status> {
        let kind = match (request.kind(), request.service.as_str()) {
            (pb::TokenKind::Admin, "") => TokenKind::Admin,
            (pb::TokenKind::Worker, "") => TokenKind::Worker,
            (pb::TokenKind::Join, "") => TokenKind::Join,
            (pb::TokenKind::Service, _) => TokenKind::Service(request.service),
            (pb::TokenKind::Unspecified | pb::TokenKind::Person, _) => {
                return Err(status::invalid(
                    "kind",
                    "must be admin, worker, service or join",
                ));
            }
            _ => return Err(status::invalid("service", "is for a service's token only")),
        };
        let expires_at = request
            .expire_time
            .map(|at| moment("expire_time", &at))
            .transpose()?;
        Ok(Self {
            name: request.name,
            kind,
            expires_at,
        })
    }
}

impl From<Project> for pb::Project {
    fn from(project: Project) -> Self {
        Self {
            etag: project.etag(),
            id: project.id.to_string(),
            slug: project.slug,
            name: project.name,
            create_time: Some(timestamp(project.created_at)),
            ..Self::default()
        }
    }
}

/// The caller, as the contract says it.
pub(crate) fn who_am_i(caller: Caller) -> pb::WhoAmIResponse {
    let (kind, name) = match caller {
        Caller::Anonymous => (policy::Caller::Anonymous, String::new()),
        Caller::Admin { name } => (policy::Caller::Admin, name),
        Caller::Service { role } => (policy::Caller::Service, role),
        Caller::Worker { name, .. } => (policy::Caller::Worker, name),
        Caller::Run { run_id, .. } => (policy::Caller::Run, run_id.to_string()),
    };
    pb::WhoAmIResponse {
        caller: kind.into(),
        name,
        person: None,
    }
}
