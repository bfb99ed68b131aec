//! What this service needs to know of a repository.
use ck8s_types::{Invalid, ProjectId, RepositoryId, RunSpec};

/// A repository and the triggers of its services.yaml.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    pub id: RepositoryId,
    pub project: ProjectId,
    /// owner/name.
    pub full_name: String,
    pub triggers: Vec<Trigger>,
}

/// A trigger: a name for a spec.
#[derive(Clone, Debug)]
pub(crate) struct Trigger {
    pub name: String,
    pub spec: Result<RunSpec, Invalid>,
}
