//! A request for a run: what a matched delivery asks the runs service for.
use ck8s_types::{DeliveryId, ProjectId, RepositoryId};

use super::{
    event::WriteAccessSource,
    head::PullRequestHead,
    repository::Repository,
    triggered_run::TriggeredRun,
    write_access::{ProviderQuestion, Sender},
};

/// The reason why nothing runs where the provider did not state a head that it was asked for.
const NO_HEAD: &str = "needs the pull request's head, which the provider does not state";

/// The run that a delivery asks for, and the repository that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct RunRequest {
    pub(crate) project_id: ProjectId,
    pub(crate) repository_id: RepositoryId,
    /// owner/name.
    pub(crate) repository_name: String,
    pub(crate) run: TriggeredRun,
    /// Set if the provider must be asked first.
    pub(crate) question: Option<ProviderQuestion>,
}

impl RunRequest {
    pub(crate) fn new(repository: &Repository, run: TriggeredRun) -> Self {
        let has_provider = matches!(repository.write_access, WriteAccessSource::Provider { .. });
        let sender = (has_provider && run.needs_write_access).then(|| Sender {
            id: run.sender_id,
            login: run.trigger.actor.clone(),
        });
        let pull_request = run.head.as_ref().map(|head| head.number);
        let is_asked = sender.is_some() || pull_request.is_some();
        Self {
            project_id: repository.project_id,
            repository_id: repository.id,
            repository_name: repository.full_name.clone(),
            run,
            question: is_asked.then_some(ProviderQuestion {
                sender,
                pull_request,
            }),
        }
    }

    /// Pins the run to the head that was asked for, if one was, or returns why nothing runs.
    pub(crate) fn settle(&mut self, head: Option<&PullRequestHead>) -> Result<(), String> {
        let Some(question) = self.run.head.take() else {
            return Ok(());
        };
        let head = head.ok_or_else(|| NO_HEAD.to_owned())?;
        self.run.pin(&question, head, &self.repository_name)
    }
}

/// A stored delivery whose run is not created yet.
#[derive(Debug)]
pub(crate) struct PendingRun {
    /// The run's id follows from the delivery's.
    pub(crate) delivery_id: DeliveryId,
    pub(crate) request: RunRequest,
}
