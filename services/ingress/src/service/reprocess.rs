//! Processes stored deliveries again: after a crash, after a service was unavailable, and on request. The decision is
//! the same as on arrival, but with the services.yaml that is in force now.
use std::{collections::HashMap, sync::Arc};

use crate::{
    domain::{
        delivery::{DeliveryOutcome, WaitingDelivery},
        matching,
        payload::{Payload, PayloadBody},
        repository::{Claimants, Repository},
        run_request::{PendingRun, RunRequest},
        stored_body,
    },
    error::IngressError,
    peers::repositories::RepositoryCache,
    pipeline::run_creator::RunCreator,
};

/// Why a stored delivery needs no run.
const NO_WEBHOOKS: &str = "the repository was removed, or gets no webhooks any more";

/// Processes stored deliveries; a clone is the same.
#[derive(Clone)]
pub(crate) struct Reprocessor {
    creator: RunCreator,
    repositories: RepositoryCache,
}

/// A stored delivery with its raw body, or what is wrong with the stored one.
struct StoredDelivery {
    delivery: WaitingDelivery,
    body: Result<PayloadBody<'static>, String>,
}

impl StoredDelivery {
    fn new(mut delivery: WaitingDelivery) -> Self {
        let body = stored_body::decompress(&std::mem::take(&mut delivery.payload));
        Self {
            delivery,
            body: body.map(PayloadBody::new),
        }
    }

    /// Returns the payload, or why it cannot be read.
    fn payload(&self) -> Result<Payload<'_>, String> {
        let unreadable = |cause: &str| format!("the stored payload cannot be read: {cause}");
        let body = self.body.as_ref().map_err(|cause| unreadable(cause))?;
        body.payload().map_err(|_| unreadable("it is not JSON"))
    }

    /// Returns the provider's id of the repository.
    fn repository_id(&self) -> Option<u64> {
        self.payload().ok()?.repository_id()
    }

    /// Returns the run that the delivery asks for, or how it ends without one.
    fn run_request(&self, claimants: &[Arc<Repository>]) -> Result<RunRequest, DeliveryOutcome> {
        let delivery = &self.delivery;
        let payload = self
            .payload()
            .map_err(|cause| DeliveryOutcome::failed(delivery.id, &cause))?;
        // It was verified for one repository: no other claimant may act on it.
        let is_its_own = |claimant: &&Arc<Repository>| Some(claimant.id) == delivery.repository_id;
        let repository = claimants.iter().find(is_its_own).map(Arc::as_ref);
        if delivery.repository_id.is_some() && repository.is_none() {
            return Err(DeliveryOutcome::ignored(delivery.id, NO_WEBHOOKS));
        }
        matching::run_request(repository, &delivery.event, &payload)
            .map_err(|reason| DeliveryOutcome::ignored(delivery.id, &reason))
    }
}

impl Reprocessor {
    pub(crate) fn new(creator: RunCreator, repositories: RepositoryCache) -> Self {
        Self {
            creator,
            repositories,
        }
    }

    /// Processes deliveries that wait, and returns how many wait no longer. An error says that a service is unavailable
    /// that some of them need; these go on waiting.
    pub(crate) async fn reprocess(
        &self,
        waiting: Vec<WaitingDelivery>,
    ) -> Result<usize, IngressError> {
        let stored: Vec<StoredDelivery> = waiting.into_iter().map(StoredDelivery::new).collect();
        let repositories = self.resolve(&stored).await?;
        let (mut pending, mut outcomes) = (Vec::new(), Vec::new());
        for stored in &stored {
            let claimants = stored.repository_id().and_then(|id| repositories.get(&id));
            match stored.run_request(claimants.map_or(&[], |all| all.as_slice())) {
                Ok(request) => pending.push(PendingRun {
                    delivery_id: stored.delivery.id,
                    request,
                }),
                Err(outcome) => outcomes.push(outcome),
            }
        }
        self.creator.handle(pending, outcomes).await
    }

    async fn resolve(
        &self,
        stored: &[StoredDelivery],
    ) -> Result<HashMap<u64, Arc<Claimants>>, IngressError> {
        let mut ids: Vec<u64> = stored
            .iter()
            .filter_map(StoredDelivery::repository_id)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let mut repositories = HashMap::new();
        for (id, claimants) in ids.iter().zip(self.repositories.resolve(&ids).await) {
            repositories.insert(*id, claimants?);
        }
        Ok(repositories)
    }
}
