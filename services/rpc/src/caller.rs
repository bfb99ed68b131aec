//! Who calls. The guard layer puts a `Caller` into each request's extensions; handlers read it from there.
use ck8s_types::{ProjectId, RunId, WorkerId};
use tonic::Request;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// No credential was given.
    Anonymous,
    /// A platform admin, by the name of the token.
    Admin {
        /// The token's name.
        name: String,
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

impl Caller {
    /// As it stands in flow events.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::Admin { name } => format!("token:{name}"),
            Self::Service { role } => format!("service:{role}"),
            Self::Worker { name, .. } => format!("worker:{name}"),
            Self::Run { run_id, .. } => format!("run:{run_id}"),
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

    /// Whether the caller may see this run: a run sees only itself; whom else the policy let in sees all.
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
