//! A request for a run: what a matched delivery asks the runs service for.
use ck8s_types::{DeliveryId, ProjectId, RepositoryId};

use super::{
    event::WriteAccessSource,
    repository::Repository,
    triggered_run::TriggeredRun,
    write_access::{Sender, SenderAllowance},
};

/// The run that a delivery asks for, and the repository that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct RunRequest {
    pub(crate) project_id: ProjectId,
    pub(crate) repository_id: RepositoryId,
    /// owner/name.
    pub(crate) repository_name: String,
    pub(crate) run: TriggeredRun,
    /// Set if the provider must say first whether this sender may write.
    pub(crate) sender: Option<Sender>,
}

impl RunRequest {
    pub(crate) fn new(repository: &Repository, run: TriggeredRun) -> Self {
        let ask_provider = repository.write_access == WriteAccessSource::Provider;
        let sender = ask_provider.then(|| Sender {
            id: run.sender_id,
            login: run.trigger.actor.clone(),
            allowance: if run.is_by_bot {
                SenderAllowance::AnyBot
            } else {
                SenderAllowance::Writers
            },
        });
        Self {
            project_id: repository.project_id,
            repository_id: repository.id,
            repository_name: repository.full_name.clone(),
            run,
            sender,
        }
    }
}

/// A stored delivery whose run is not created yet.
#[derive(Debug)]
pub(crate) struct PendingRun {
    /// The run's id follows from the delivery's.
    pub(crate) delivery_id: DeliveryId,
    pub(crate) request: RunRequest,
}
