//! API tokens.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::{
    convert::{moment, role_to_pb, timestamp},
    status,
};
use tonic::Status;

use super::role::role;
use crate::domain::{RequestedKind, Token, TokenBearer, TokenKind, TokenRequest};

impl From<&TokenKind> for pb::TokenKind {
    fn from(kind: &TokenKind) -> Self {
        match kind {
            TokenKind::Admin => Self::Admin,
            TokenKind::Worker => Self::Worker,
            TokenKind::Service(_) => Self::Service,
            TokenKind::Join => Self::Join,
            TokenKind::Person(_) => Self::Person,
        }
    }
}

impl From<Token> for pb::Token {
    fn from(token: Token) -> Self {
        let owner = token.kind.owner();
        let scope = owner.map(|owner| owner.scope).unwrap_or_default();
        Self {
            user_id: owner
                .map(|owner| owner.user_id.to_string())
                .unwrap_or_default(),
            max_role: scope.max_role.map_or(0, |role| role_to_pb(role).into()),
            project_id: scope.project.map(|id| id.to_string()).unwrap_or_default(),
            id: token.id.to_string(),
            kind: pb::TokenKind::from(&token.kind).into(),
            service: token.kind.service().unwrap_or_default().to_owned(),
            name: token.name,
            create_time: Some(timestamp(token.created_at)),
            expire_time: token.expires_at.map(timestamp),
            last_use_time: token.last_used_at.map(timestamp),
            revoke_time: token.revoked_at.map(timestamp),
        }
    }
}

impl From<TokenBearer> for pb::AuthenticateResponse {
    fn from(TokenBearer { token, person }: TokenBearer) -> Self {
        Self {
            person: person.map(Into::into),
            token_id: token.id.to_string(),
            kind: pb::TokenKind::from(&token.kind).into(),
            service: token.kind.service().unwrap_or_default().to_owned(),
            name: token.name,
            expire_time: token.expires_at.map(timestamp),
            ..Self::default()
        }
    }
}

impl TryFrom<pb::CreateTokenRequest> for TokenRequest {
    type Error = Status;

    fn try_from(request: pb::CreateTokenRequest) -> Result<Self, Status> {
        let max_role = role("max_role", request.max_role)?;
        let scoped = max_role.is_some() || !request.project.is_empty();
        let kind = match (request.kind(), request.service.as_str()) {
            (pb::TokenKind::Admin, "") => RequestedKind::Platform(TokenKind::Admin),
            (pb::TokenKind::Worker, "") => RequestedKind::Platform(TokenKind::Worker),
            (pb::TokenKind::Join, "") => RequestedKind::Platform(TokenKind::Join),
            (pb::TokenKind::Service, _) => {
                RequestedKind::Platform(TokenKind::Service(request.service))
            }
            (pb::TokenKind::Person, "") => RequestedKind::Own { max_role },
            (pb::TokenKind::Unspecified, _) => {
                let problem = "must be admin, worker, service, join or person";
                return Err(status::invalid("kind", problem));
            }
            _ => return Err(status::invalid("service", "is for a service's token only")),
        };
        if scoped && matches!(kind, RequestedKind::Platform(_)) {
            let problem = "max_role and project are for a person's token only";
            return Err(status::invalid("max_role", problem));
        }
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
