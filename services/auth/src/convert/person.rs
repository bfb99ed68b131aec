//! People, for the wire.
use ck8s_proto::{auth::v1 as pb, policy::v1 as policy};
use ck8s_rpc::convert::role_to_pb;

use crate::domain::{Membership, Person};

impl From<Membership> for pb::Membership {
    fn from(membership: Membership) -> Self {
        Self {
            project_id: membership.project.to_string(),
            role: role_to_pb(membership.role).into(),
        }
    }
}

impl From<Person> for pb::Person {
    fn from(person: Person) -> Self {
        Self {
            user_id: person.user_id.to_string(),
            name: person.name,
            platform_admin: person.platform_admin,
            everywhere: person
                .everywhere
                .map_or(policy::ProjectRole::Unspecified, role_to_pb)
                .into(),
            memberships: person.memberships.into_iter().map(Into::into).collect(),
        }
    }
}
