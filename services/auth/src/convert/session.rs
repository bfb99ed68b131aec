//! Sessions and access tokens, for the wire.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::convert::timestamp;
use prost_types::Timestamp;
use secrecy::ExposeSecret;

use crate::{domain::Session, service::Access};

impl From<Session> for pb::Session {
    fn from(session: Session) -> Self {
        Self {
            id: session.id.to_string(),
            access_token: session.access.expose_secret().to_owned(),
            access_expire_time: Some(timestamp(session.access_expires_at)),
            refresh_token: session.refresh.expose().to_owned(),
            refresh_expire_time: Some(timestamp(session.refresh_expires_at)),
        }
    }
}

impl From<Access> for pb::AuthenticateResponse {
    fn from(access: Access) -> Self {
        let Access { claims, person } = access;
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
