//! Run workers: they take stored deliveries from the queue and create their runs. Nothing here can be lost, because all
//! of it follows from the stored delivery: what does not fit, or fails for now, is left to the repair task.
use std::sync::Arc;

use ck8s_batch::Batches;
use ck8s_types::DeliveryId;
use tokio::sync::Semaphore;

use super::{in_flight::InFlight, run_creator::RunCreator};
use crate::{domain::run_request::PendingDelivery, metrics};

/// How many run workers there are: while one waits for runs, the other writes outcomes.
pub(crate) const RUN_WORKERS: usize = 2;
/// Bounds the deliveries that a worker takes at once.
pub(crate) const MAX_BATCH_DELIVERIES: usize = 256;
/// Bounds the batches that wait for a provider at once; more are left to repair.
const MAX_PROVIDER_BATCHES: usize = 32;

/// A run worker; a clone shares its bounds.
#[derive(Clone)]
pub(crate) struct RunWorker {
    creator: RunCreator,
    in_flight: InFlight,
    provider_batches: Arc<Semaphore>,
}

impl RunWorker {
    pub(crate) fn new(creator: RunCreator, in_flight: InFlight) -> Self {
        Self {
            creator,
            in_flight,
            provider_batches: Arc::new(Semaphore::new(MAX_PROVIDER_BATCHES)),
        }
    }

    /// Handles what is queued until nobody can queue any more.
    pub(crate) async fn run(self, mut batches: Batches<PendingDelivery>) {
        while let Some(batch) = batches.next().await {
            let (asking, plain): (Vec<_>, Vec<_>) =
                batch.drain(..).partition(PendingDelivery::has_question);
            self.handle_aside(asking);
            self.handle(plain).await;
        }
    }

    /// Handles deliveries whose provider must be asked in a task of their own: it may be slow, and the others do not
    /// wait for it.
    fn handle_aside(&self, pending: Vec<PendingDelivery>) {
        if pending.is_empty() {
            return;
        }
        let Ok(permit) = self.provider_batches.clone().try_acquire_owned() else {
            metrics::left_to_repair(pending.len());
            self.in_flight.end(pending.iter().map(|p| p.id));
            return;
        };
        let this = self.clone();
        tokio::spawn(async move {
            this.handle(pending).await;
            drop(permit);
        });
    }

    async fn handle(&self, pending: Vec<PendingDelivery>) {
        let ids: Vec<DeliveryId> = pending.iter().map(|p| p.id).collect();
        if let Err(error) = self.creator.handle_new(pending).await {
            tracing::warn!(%error, "deliveries are left to the repair task");
            metrics::left_to_repair(ids.len());
        }
        self.in_flight.end(ids);
    }
}
