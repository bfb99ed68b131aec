//! A run, what is needed to make one, and how it ends.
use ck8s_types::{
    DeliveryId, LeaseRef, ProjectId, RepositoryId, RunId, RunReason, RunSpec, RunState, RunTrigger,
    Slot, WorkerId,
};
use time::OffsetDateTime;

use super::{PoolId, default_message, default_state};

/// One run, as people see it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
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
    pub slot: Option<Slot>,
    pub worker: Option<WorkerId>,
    pub exit_code: Option<i32>,
    pub workload: String,
    pub retry_of: Option<RunId>,
    pub created_at: OffsetDateTime,
    pub started_at: Option<OffsetDateTime>,
    pub finished_at: Option<OffsetDateTime>,
}

/// A run that a delivery asks for.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryRun {
    pub delivery: DeliveryId,
    pub project: ProjectId,
    pub repository: Option<RepositoryId>,
    pub repository_name: String,
    pub trigger: RunTrigger,
    pub spec: RunSpec,
    /// Whether the run's id follows from the trigger's name too: it is not the delivery's first.
    pub id_of_trigger: bool,
}

impl DeliveryRun {
    /// Returns the run's id. The same run has the same id, however often it is asked for.
    pub(crate) fn id(&self) -> RunId {
        match self.id_of_trigger {
            true => RunId::of_trigger(self.delivery, &self.trigger.name),
            false => RunId::of_delivery(self.delivery),
        }
    }
}

/// What became of a run that a delivery asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CreateResult {
    Created(RunId),
    /// Its project or repository is gone.
    OwnerGone,
}

/// A run that somebody asks for. Project and repository are named by id, slug or owner/name.
#[derive(Clone, Debug)]
pub(crate) struct StartRun {
    /// None: the repository's project.
    pub project: Option<String>,
    pub repository: Option<String>,
    pub source: RunSource,
    /// Empty: the name of the trigger.
    pub title: String,
}

/// What a run is to run.
#[derive(Clone, Debug)]
pub(crate) enum RunSource {
    /// The spec of the repository's trigger of this name.
    Trigger(String),
    Spec(Box<RunSpec>),
}

/// A run to make; its spec is valid.
#[derive(Clone, Debug)]
pub(crate) struct NewRun {
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

impl NewRun {
    /// Returns the run as it is just after it was made at this time.
    pub(crate) fn pending(&self, created_at: OffsetDateTime) -> Run {
        Run {
            id: self.id,
            project: self.project,
            repository: self.repository,
            repository_name: self.repository_name.clone(),
            delivery: self.delivery,
            state: RunState::Pending,
            reason: None,
            message: String::new(),
            trigger: self.trigger.clone(),
            spec: self.spec.clone(),
            attempt: 1,
            slot: None,
            worker: None,
            exit_code: None,
            workload: String::new(),
            retry_of: self.retry_of,
            created_at,
            started_at: None,
            finished_at: None,
        }
    }
}

/// Which runs to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunFilter {
    /// None: of all projects.
    pub projects: Option<Vec<ProjectId>>,
    pub repository: Option<RepositoryId>,
    /// Empty: in any state.
    pub states: Vec<RunState>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub state: RunState,
    pub reason: RunReason,
    pub message: String,
    pub exit_code: Option<i32>,
}

impl Outcome {
    /// Returns the outcome of a run that the server itself ends for this reason.
    pub(crate) fn of(reason: RunReason) -> Self {
        Self {
            state: default_state(reason),
            reason,
            message: default_message(reason).to_owned(),
            exit_code: None,
        }
    }
}

/// What a run that the server ended leaves behind.
#[derive(Clone, Debug)]
pub(crate) struct RunEnd {
    pub project: ProjectId,
    /// The lease whose workload has to be stopped, and the worker that holds it; None: nobody holds it.
    pub lease: Option<(LeaseRef, Option<WorkerId>)>,
    /// The concurrency group that it waited in or held.
    pub group: Option<String>,
}
