//! Between the contract's messages and the domain.
mod person;
mod session;

use ck8s_proto::{auth::v1 as pb, policy::v1 as policy};
use ck8s_rpc::{
    Caller,
    caller::Projects,
    convert::{moment, role_from_pb, role_to_pb, timestamp},
    status,
};
use ck8s_types::{ProjectId, ProjectRole};
use tonic::Status;

use crate::{
    domain::{Member, Membership, Person, Project, Token, TokenKind, User},
    service::tokens::{Known, Wanted, WantedKind},
};

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

impl From<Known> for pb::AuthenticateResponse {
    fn from(Known { token, person }: Known) -> Self {
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

impl TryFrom<pb::CreateTokenRequest> for Wanted {
    type Error = Status;

    fn try_from(request: pb::CreateTokenRequest) -> Result<Self, Status> {
        let max_role = role("max_role", request.max_role)?;
        let scoped = max_role.is_some() || !request.project.is_empty();
        let kind = match (request.kind(), request.service.as_str()) {
            (pb::TokenKind::Admin, "") => WantedKind::Of(TokenKind::Admin),
            (pb::TokenKind::Worker, "") => WantedKind::Of(TokenKind::Worker),
            (pb::TokenKind::Join, "") => WantedKind::Of(TokenKind::Join),
            (pb::TokenKind::Service, _) => WantedKind::Of(TokenKind::Service(request.service)),
            (pb::TokenKind::Person, "") => WantedKind::Own(max_role),
            (pb::TokenKind::Unspecified, _) => {
                let problem = "must be admin, worker, service, join or person";
                return Err(status::invalid("kind", problem));
            }
            _ => return Err(status::invalid("service", "is for a service's token only")),
        };
        if scoped && matches!(kind, WantedKind::Of(_)) {
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

/// A project role that may be left out.
pub(crate) fn role(field: &str, role: i32) -> Result<Option<ProjectRole>, Status> {
    let role = policy::ProjectRole::try_from(role);
    let role = role.map_err(|_| status::invalid(field, "must be read, read_write or admin"))?;
    Ok(role_from_pb(role))
}

/// A project, with what the caller may do in it.
pub(crate) fn project(project: Project, role: Option<ProjectRole>) -> pb::Project {
    pb::Project {
        etag: project.etag(),
        id: project.id.to_string(),
        slug: project.slug,
        name: project.name,
        create_time: Some(timestamp(project.created_at)),
        role: role.map_or(0, |role| role_to_pb(role).into()),
    }
}

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

/// Of the user, what members may know of each other.
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

/// The caller, as the contract says it.
pub(crate) fn who_am_i(caller: Caller) -> pb::WhoAmIResponse {
    let person = person_of(&caller);
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

fn person_of(caller: &Caller) -> Option<pb::Person> {
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
