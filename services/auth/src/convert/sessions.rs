//! Sessions and access tokens.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::convert::timestamp;
use prost_types::Timestamp;
use secrecy::ExposeSecret;

use crate::{domain::Session, service::AccessTokenBearer};

impl From<Session> for pb::Session {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.to_string(),
            access_token: session.access_token.expose_secret().to_owned(),
            access_expire_time: Some(timestamp(session.access_expires_at)),
            refresh_token: session.refresh_token.expose().to_owned(),
            refresh_expire_time: Some(timestamp(session.refresh_expires_at)),
        }
    }
}

impl From<AccessTokenBearer> for pb::AuthenticateResponse {
    fn from(bearer: AccessTokenBearer) -> Self {
        let AccessTokenBearer { claims, person } = bearer;
        Self {
            token_id: claims.jti.to_string(),
            name: person.name.clone(),
            kind: pb::TokenKind::Person.into(),
            expire_time: Some(Timestamp {
                seconds: claims.exp,
                nanos: 0,
            }),
            person: Some(person.into()),
            session_id: claims.sid.to_string(),
            ..Self::default()
        }
    }
}
