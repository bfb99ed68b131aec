//! Who calls. The guard layer puts a `Caller` into each request's extensions; handlers read it from there.
use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use ck8s_types::{ProjectId, ProjectRole, RunId, SessionId, TokenId, UserId, WorkerId};
use tonic::Request;

/// The address from which somebody calls the public listener, as an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// No credential was given.
    Anonymous,
    /// A platform admin.
    Admin {
        /// The token's name, or the person's.
        name: String,
        /// The person, if it is one. None: a token that is nobody's.
        person: Option<SignedIn>,
    },
    /// A person who is no platform admin, or uses a token with fewer rights.
    Person {
        /// What people call them.
        name: String,
        /// Who they are.
        person: SignedIn,
        /// Their roles.
        projects: Arc<Projects>,
    },
    /// Another role of the mesh.
    Service {
        /// Its role: edge, ingress, ...
        role: String,
    },
    /// A worker node. Its Hello says which worker id it speaks for.
    Worker {
        /// The name of its token, or its id if it came with a certificate.
        name: String,
        /// The id that its certificate names: it speaks for no other. None: it came with a token.
        certified: Option<WorkerId>,
    },
    /// A run, about itself.
    Run {
        /// The run.
        run_id: RunId,
        /// Its project.
        project_id: ProjectId,
    },
}

/// A person, and their credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The user.
    pub user_id: UserId,
    /// What proves who they are.
    pub with: Credential,
}

/// What a person proves their identity with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this session.
    Session(SessionId),
    /// This API token.
    Token(TokenId),
}

/// The roles of a person in projects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projects {
    /// In every project, also in those to come; none: only where they are members.
    pub everywhere: Option<ProjectRole>,
    /// Where they are members.
    pub by_project: BTreeMap<ProjectId, ProjectRole>,
}

impl Projects {
    /// Returns their role in a project. None: to them, the project does not exist.
    #[must_use]
    pub fn role_in(&self, project: ProjectId) -> Option<ProjectRole> {
        self.by_project.get(&project).copied().max(self.everywhere)
    }

    /// Returns the highest role that they have anywhere.
    #[must_use]
    pub fn most(&self) -> Option<ProjectRole> {
        self.by_project.values().copied().max().max(self.everywhere)
    }
}

impl Caller {
    /// Returns the actor as flow events name it.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::Admin { name, person: None } => format!("token:{name}"),
            Self::Admin { name, .. } | Self::Person { name, .. } => format!("user:{name}"),
            Self::Service { role } => format!("service:{role}"),
            Self::Worker { name, .. } => format!("worker:{name}"),
            Self::Run { run_id, .. } => format!("run:{run_id}"),
        }
    }

    /// Returns the person, if the caller is one.
    #[must_use]
    pub fn person(&self) -> Option<SignedIn> {
        match self {
            Self::Admin { person, .. } => *person,
            Self::Person { person, .. } => Some(*person),
            _ => None,
        }
    }

    /// Returns the worker that the caller's certificate names: it speaks for no other.
    #[must_use]
    pub fn certified(&self) -> Option<&WorkerId> {
        match self {
            Self::Worker { certified, .. } => certified.as_ref(),
            _ => None,
        }
    }

    /// Whether the other caller is the same one with the same rights. The name does not count.
    #[must_use]
    pub(crate) fn has_rights_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Admin { person: a, .. }, Self::Admin { person: b, .. }) => a == b,
            (
                Self::Person {
                    person: a,
                    projects: here,
                    ..
                },
                Self::Person {
                    person: b,
                    projects: there,
                    ..
                },
            ) => a == b && here == there,
            _ => self == other,
        }
    }

    /// Whether the caller may see this run: a run sees only itself. `access` says which projects' runs people see.
    #[must_use]
    pub fn may_see_run(&self, run: RunId) -> bool {
        match self {
            Self::Run { run_id, .. } => *run_id == run,
            _ => true,
        }
    }
}

/// Returns the caller of a request that came through the guard. Without a guard in front, the caller is anonymous.
pub fn caller<T>(request: &Request<T>) -> Caller {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .unwrap_or(Caller::Anonymous)
}
