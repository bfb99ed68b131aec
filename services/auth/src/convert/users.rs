//! Users and members.
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::convert::{role_to_pb, timestamp};

use crate::{
    domain::{Member, User},
    service::UserUpdate,
};

impl From<User> for pb::User {
    fn from(user: User) -> Self {
        Self {
            etag: user.etag(),
            id: user.id.to_string(),
            email: user.email,
            login: user.login.unwrap_or_default(),
            external_id: user.external_id.unwrap_or_default(),
            platform_admin: user.platform_admin,
            create_time: Some(timestamp(user.created_at)),
            last_sign_in_time: user.last_sign_in_at.map(timestamp),
        }
    }
}

/// Encodes of the user only what members may know of each other.
impl From<Member> for pb::Member {
    fn from(member: Member) -> Self {
        Self {
            project_id: member.project_id.to_string(),
            user: Some(pb::User {
                id: member.user_id.to_string(),
                email: member.email,
                login: member.login.unwrap_or_default(),
                ..pb::User::default()
            }),
            role: role_to_pb(member.role).into(),
            create_time: Some(timestamp(member.created_at)),
        }
    }
}

impl From<pb::UpdateUserRequest> for UserUpdate {
    fn from(request: pb::UpdateUserRequest) -> Self {
        Self {
            user: request.user,
            etag: request.etag,
            platform_admin: request.platform_admin,
            forget_identity: request.forget_identity,
        }
    }
}
