//! Processes stored deliveries again: after a crash, after a service was unavailable, and on request. The decision is
//! the same as on arrival, but with the services.yaml that is in force now.
use std::{collections::HashMap, sync::Arc};

use ck8s_types::DeliveryId;
use sqlx::PgPool;

use crate::{
    domain::{
        delivery::{DeliveryOutcome, WaitingDelivery},
        matching,
        payload::{Payload, PayloadBody},
        repository::{Claimants, Repository},
        run_request::PendingDelivery,
        schedule, stored_body,
    },
    error::IngressError,
    peers::repositories::RepositoryCache,
    pipeline::run_creator::RunCreator,
    store::deliveries,
};

/// Bounds the runs that are asked for at once, and so the memory that they take.
const MAX_RUNS_AT_ONCE: usize = 1_000;
/// Why a stored delivery needs no run.
const NO_WEBHOOKS: &str = "the repository was removed, or gets no webhooks any more";

/// Processes stored deliveries; a clone is the same.
#[derive(Clone)]
pub(crate) struct Reprocessor {
    pool: PgPool,
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

    /// Returns the delivery with the runs that it asks for, or how it ends without another.
    fn pending(&self, claimants: &[Arc<Repository>]) -> Result<PendingDelivery, DeliveryOutcome> {
        let delivery = &self.delivery;
        let run_ids = || delivery.run_ids.clone();
        let payload = self
            .payload()
            .map_err(|cause| DeliveryOutcome::failed(delivery.id, run_ids(), &cause))?;
        // It was verified for one repository: no other claimant may act on it.
        let is_its_own = |claimant: &&Arc<Repository>| Some(claimant.id) == delivery.repository_id;
        let repository = claimants.iter().find(is_its_own).map(Arc::as_ref);
        if delivery.repository_id.is_some() && repository.is_none() {
            return Err(DeliveryOutcome::ended(delivery.id, run_ids(), NO_WEBHOOKS));
        }
        let first_trigger = delivery.first_trigger.as_deref();
        let requests = match repository {
            Some(repository) if schedule::is_key(&delivery.key) => {
                matching::due_request(repository, &payload)
            }
            _ => matching::run_requests(repository, &delivery.event, &payload, first_trigger),
        };
        match requests.runs.is_empty() {
            true => Err(DeliveryOutcome::ended(
                delivery.id,
                run_ids(),
                &requests.reason,
            )),
            false => Ok(PendingDelivery {
                id: delivery.id,
                requests,
                run_ids: run_ids(),
            }),
        }
    }
}

/// Deliveries that are handled together.
#[derive(Default)]
struct Batch {
    pending: Vec<PendingDelivery>,
    /// Those of them whose first trigger is not decided yet.
    undecided: Vec<DeliveryId>,
    /// How others ended.
    outcomes: Vec<DeliveryOutcome>,
    runs: usize,
}

impl Batch {
    fn add(&mut self, stored: &StoredDelivery, claimants: &[Arc<Repository>]) {
        match stored.pending(claimants) {
            Ok(pending) => {
                if stored.delivery.first_trigger.is_none() {
                    self.undecided.push(pending.id);
                }
                self.runs += pending.requests.runs.len();
                self.pending.push(pending);
            }
            Err(outcome) => self.outcomes.push(outcome),
        }
    }
}

impl Reprocessor {
    pub(crate) fn new(pool: PgPool, creator: RunCreator, repositories: RepositoryCache) -> Self {
        Self {
            pool,
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
        let (mut batch, mut handled) = (Batch::default(), 0);
        for stored in &stored {
            let claimants = stored.repository_id().and_then(|id| repositories.get(&id));
            batch.add(stored, claimants.map_or(&[], |all| all.as_slice()));
            if batch.runs >= MAX_RUNS_AT_ONCE {
                handled += self.handle(std::mem::take(&mut batch)).await?;
            }
        }
        Ok(handled + self.handle(batch).await?)
    }

    async fn handle(&self, mut batch: Batch) -> Result<usize, IngressError> {
        if !batch.undecided.is_empty() {
            self.decide_first_triggers(&mut batch).await?;
        }
        self.creator.handle(batch.pending, batch.outcomes).await
    }

    /// Decides which run has the delivery's own id, before any exists: a later attempt must ask for the same runs,
    /// whatever services.yaml says by then.
    async fn decide_first_triggers(&self, batch: &mut Batch) -> Result<(), IngressError> {
        let undecided = |pending: &&PendingDelivery| batch.undecided.contains(&pending.id);
        let first: Vec<_> = batch.pending.iter().filter(undecided).collect();
        let first: Vec<_> = first
            .into_iter()
            .filter_map(|pending| Some((pending.id, pending.requests.runs.first()?.trigger())))
            .collect();
        let decided = {
            let mut conn = self.pool.acquire().await?;
            deliveries::decide_first_triggers(&mut conn, &first).await?
        };
        for pending in &mut batch.pending {
            if let Some(trigger) = decided.get(&pending.id) {
                pending.requests.assign_ids(Some(trigger));
            }
        }
        Ok(())
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
