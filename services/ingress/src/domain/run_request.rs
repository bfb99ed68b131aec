//! Requests for runs: what a delivery that matches triggers asks the runs service for.
use ck8s_types::{DeliveryId, ProjectId, RepositoryId, RunId};

use super::{
    changed_files::ChangedFiles,
    event::WriteAccessSource,
    head::PullRequestHead,
    repository::Repository,
    triggered_run::TriggeredRun,
    write_access::{ProviderQuestion, Sender},
};

/// The reason why nothing runs where the provider did not state a head that it was asked for.
const NO_HEAD: &str = "needs the pull request's head, which the provider does not state";

/// A run that a delivery asks for, and the repository that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct RunRequest {
    pub(crate) project_id: ProjectId,
    pub(crate) repository_id: RepositoryId,
    /// owner/name.
    pub(crate) repository_name: String,
    pub(crate) run: TriggeredRun,
    /// Set if the provider must be asked first.
    pub(crate) question: Option<ProviderQuestion>,
    /// Whether the run's id follows from the trigger's name too. Otherwise it follows from the delivery's id alone.
    pub(crate) id_of_trigger: bool,
}

impl RunRequest {
    pub(crate) fn new(repository: &Repository, run: TriggeredRun) -> Self {
        let has_provider = matches!(repository.write_access, WriteAccessSource::Provider { .. });
        let sender = (has_provider && run.needs_write_access).then(|| Sender {
            id: run.sender_id,
            login: run.trigger.actor.clone(),
        });
        let pull_request = run.head.as_ref().map(|head| head.number);
        let change = run.files.as_ref().map(|files| files.change.clone());
        let is_asked = sender.is_some() || pull_request.is_some() || change.is_some();
        Self {
            project_id: repository.project_id,
            repository_id: repository.id,
            repository_name: repository.full_name.clone(),
            run,
            question: is_asked.then_some(ProviderQuestion {
                sender,
                pull_request,
                change,
            }),
            id_of_trigger: false,
        }
    }

    /// Returns the name of the trigger.
    pub(crate) fn trigger(&self) -> &str {
        &self.run.trigger.name
    }

    /// Returns the id that the run has as one of this delivery.
    pub(crate) fn run_id(&self, delivery: DeliveryId) -> RunId {
        match self.id_of_trigger {
            true => RunId::of_trigger(delivery, self.trigger()),
            false => RunId::of_delivery(delivery),
        }
    }

    /// Pins the run to the head and checks the files that were asked for, if any were, or returns why nothing runs.
    pub(crate) fn settle(
        &mut self,
        head: Option<&PullRequestHead>,
        files: &ChangedFiles,
    ) -> Result<(), String> {
        self.run.check_files(files)?;
        let Some(question) = self.run.head.take() else {
            return Ok(());
        };
        let head = head.ok_or_else(|| NO_HEAD.to_owned())?;
        self.run.pin(&question, head, &self.repository_name)
    }
}

/// The runs that a delivery asks for, in the order of services.yaml.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunRequests {
    pub(crate) runs: Vec<RunRequest>,
    /// Why there is none, or which triggers match and cannot run; empty: nothing to say.
    pub(crate) reason: String,
}

impl RunRequests {
    /// A delivery that asks for no run, for this reason.
    pub(crate) fn none(reason: String) -> Self {
        Self {
            runs: Vec::new(),
            reason,
        }
    }

    /// Gives the delivery's own id to the run of this trigger, or to the first if no trigger is named, and ids of their
    /// own to all others.
    pub(crate) fn assign_ids(&mut self, first_trigger: Option<&str>) {
        for (nr, run) in self.runs.iter_mut().enumerate() {
            run.id_of_trigger = first_trigger.map_or(nr > 0, |first| first != run.trigger());
        }
    }
}

/// A stored delivery whose runs are not created yet.
#[derive(Debug)]
pub(crate) struct PendingDelivery {
    pub(crate) id: DeliveryId,
    pub(crate) requests: RunRequests,
    /// Its runs that are known to exist already.
    pub(crate) run_ids: Vec<RunId>,
}

impl PendingDelivery {
    /// Returns whether a provider must be asked about one of its runs.
    pub(crate) fn has_question(&self) -> bool {
        self.requests.runs.iter().any(|run| run.question.is_some())
    }
}

/// Where a run stands among those that are handled together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RunPlace {
    /// The delivery's place among the deliveries.
    pub(crate) delivery: usize,
    /// The run's place among the delivery's.
    pub(crate) run: usize,
}

/// One run of a stored delivery that is not created yet.
#[derive(Debug)]
pub(crate) struct PendingRun {
    pub(crate) delivery_id: DeliveryId,
    pub(crate) place: RunPlace,
    pub(crate) request: RunRequest,
}
