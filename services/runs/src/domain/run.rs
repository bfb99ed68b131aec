//! A run, and what is needed to make one.
use ck8s_types::{
    DeliveryId, ProjectId, RepositoryId, RunId, RunReason, RunSpec, RunState, RunTrigger,
};
use time::OffsetDateTime;

use super::PoolId;

/// One run, as people see it.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: RunId,
    pub project: ProjectId,
    pub repository: Option<RepositoryId>,
    pub repository_name: String,
    pub delivery: Option<DeliveryId>,
    pub state: RunState,
    pub reason: Option<RunReason>,
    pub message: String,
    pub trigger: RunTrigger,
    pub spec: RunSpec,
    pub attempt: i32,
    pub slot: Option<i32>,
    pub worker: Option<String>,
    pub exit_code: Option<i32>,
    pub workload: String,
    pub retry_of: Option<RunId>,
    pub created_at: OffsetDateTime,
    pub started_at: Option<OffsetDateTime>,
    pub finished_at: Option<OffsetDateTime>,
}

/// A run to make; its spec is checked.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub id: RunId,
    pub project: ProjectId,
    pub repository: Option<RepositoryId>,
    pub repository_name: String,
    pub delivery: Option<DeliveryId>,
    pub trigger: RunTrigger,
    pub spec: RunSpec,
    pub retry_of: Option<RunId>,
    pub pool: PoolId,
    /// Who makes it, as it stands in flow events.
    pub actor: String,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub state: RunState,
    pub reason: RunReason,
    pub message: String,
    pub exit_code: Option<i32>,
}
