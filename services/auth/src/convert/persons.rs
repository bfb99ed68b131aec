//! Persons, and who a caller is.
use ck8s_proto::{auth::v1 as pb, policy::v1 as policy};
use ck8s_rpc::{Caller, caller::Projects, convert::role_to_pb};
use ck8s_types::{ProjectId, ProjectRole};

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

/// Encodes who the caller is.
pub(crate) fn who_am_i(caller: Caller) -> pb::WhoAmIResponse {
    let person = person(&caller);
    let (kind, name) = match caller {
        Caller::Anonymous => (policy::Caller::Anonymous, String::new()),
        Caller::Admin { name, .. } => (policy::Caller::Admin, name),
        Caller::Person { name, .. } => (policy::Caller::Person, name),
        Caller::Service { role } => (policy::Caller::Service, role),
        Caller::Worker { name, .. } => (policy::Caller::Worker, name),
        Caller::Run { run_id, .. } => (policy::Caller::Run, run_id.to_string()),
    };
    pb::WhoAmIResponse {
        caller: kind.into(),
        name,
        person,
    }
}

fn membership((project, role): (&ProjectId, &ProjectRole)) -> Membership {
    Membership {
        project: *project,
        role: *role,
    }
}

fn person(caller: &Caller) -> Option<pb::Person> {
    let nowhere = Projects::default();
    let (name, platform_admin, projects) = match caller {
        Caller::Admin { name, .. } => (name, true, &nowhere),
        Caller::Person { name, projects, .. } => (name, false, &**projects),
        _ => return None,
    };
    let person = Person {
        user_id: caller.person()?.user_id,
        name: name.clone(),
        platform_admin,
        everywhere: projects.everywhere,
        memberships: projects.by_project.iter().map(membership).collect(),
    };
    Some(person.into())
}
