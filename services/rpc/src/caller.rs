//! Who calls. The guard layer puts a `Caller` into each request's extensions; handlers read it from there.
use std::{collections::BTreeMap, sync::Arc};

use ck8s_types::{ProjectId, ProjectRole, RunId, SessionId, TokenId, UserId, WorkerId};
use tonic::Request;

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
    /// A person who is no platform admin, or shows a token that lets them do less.
    Person {
        /// What people call them.
        name: String,
        /// Who they are.
        person: SignedIn,
        /// Where they may do what.
        projects: Arc<Projects>,
    },
    /// Another role of the mesh.
    Service {
        /// Its role: edge, ingress, ...
        role: String,
    },
    /// A worker node. Which worker id it speaks for, its Hello says.
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

/// A person, and what they show for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The user.
    pub user_id: UserId,
    /// How they came.
    pub with: Credential,
}

/// What a person shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this session.
    Session(SessionId),
    /// This API token.
    Token(TokenId),
}

/// Where a person may do what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projects {
    /// In every project, also in those to come; none: only where they are members.
    pub everywhere: Option<ProjectRole>,
    /// Where they are members.
    pub by_project: BTreeMap<ProjectId, ProjectRole>,
}

impl Projects {
    /// What they may do there; none: to them, the project does not exist.
    #[must_use]
    pub fn role_in(&self, project: ProjectId) -> Option<ProjectRole> {
        self.by_project.get(&project).copied().max(self.everywhere)
    }

    /// The most that they may do anywhere.
    #[must_use]
    pub fn most(&self) -> Option<ProjectRole> {
        self.by_project.values().copied().max().max(self.everywhere)
    }
}

impl Caller {
    /// As it stands in flow events.
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

    /// The person, if the caller is one.
    #[must_use]
    pub fn person(&self) -> Option<SignedIn> {
        match self {
            Self::Admin { person, .. } => *person,
            Self::Person { person, .. } => Some(*person),
            _ => None,
        }
    }

    /// The worker that the caller's certificate names: it speaks for no other.
    #[must_use]
    pub fn certified(&self) -> Option<&WorkerId> {
        match self {
            Self::Worker { certified, .. } => certified.as_ref(),
            _ => None,
        }
    }

    /// Whether the other caller may do the same: the name is no part of it.
    #[must_use]
    pub(crate) fn may_the_same(&self, other: &Self) -> bool {
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

    /// Whether the caller may see this run: a run sees only itself. Which projects' runs people see, `access` says.
    #[must_use]
    pub fn may_see_run(&self, run: RunId) -> bool {
        match self {
            Self::Run { run_id, .. } => *run_id == run,
            _ => true,
        }
    }
}

/// The caller of a request that came through the guard. Without a guard in front, nobody.
pub fn caller<T>(request: &Request<T>) -> Caller {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .unwrap_or(Caller::Anonymous)
}
