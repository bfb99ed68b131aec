//! Hands stored deliveries over to the run workers, and what does not fit to the repair task.
use std::time::Duration;

use ck8s_types::DeliveryId;
use tokio::sync::mpsc;

use super::{in_flight::InFlight, repair_queue::RepairQueue};
use crate::{domain::run_request::PendingDelivery, metrics};

/// Bounds the deliveries that wait for the run workers in memory.
pub(crate) const HANDOFF_CAPACITY: usize = 4_096;
/// Bounds how long a full queue slows the acknowledgements down before the rest is left to repair.
const ROOM_TIMEOUT: Duration = Duration::from_millis(500);

/// The way to the run workers; a clone is the same way. The workers end when the last clone is gone.
#[derive(Clone)]
pub(crate) struct Handoff {
    queue: mpsc::Sender<PendingDelivery>,
    in_flight: InFlight,
    repair: RepairQueue,
}

impl Handoff {
    pub(crate) fn new(
        queue: mpsc::Sender<PendingDelivery>,
        in_flight: InFlight,
        repair: RepairQueue,
    ) -> Self {
        Self {
            queue,
            in_flight,
            repair,
        }
    }

    /// Queues what fits, and returns the rest.
    pub(crate) fn offer(&self, pending: Vec<PendingDelivery>) -> Vec<PendingDelivery> {
        if pending.is_empty() {
            return pending;
        }
        self.in_flight.begin(pending.iter().map(|p| p.id));
        let mut pending = pending.into_iter();
        while let Ok(room) = self.queue.try_reserve() {
            match pending.next() {
                Some(next) => room.send(next),
                None => break,
            }
        }
        pending.collect()
    }

    /// Waits a little until the rest fits; then leaves it to repair.
    pub(crate) async fn wait_for_room(&self, rest: Vec<PendingDelivery>) {
        let mut rest = rest.into_iter();
        let deadline = tokio::time::Instant::now() + ROOM_TIMEOUT;
        while rest.len() > 0 {
            match tokio::time::timeout_at(deadline, self.queue.reserve()).await {
                Ok(Ok(room)) => {
                    if let Some(next) = rest.next() {
                        room.send(next);
                    }
                }
                Ok(Err(_)) | Err(_) => break,
            }
        }
        let left: Vec<DeliveryId> = rest.map(|p| p.id).collect();
        if !left.is_empty() {
            metrics::left_to_repair(left.len());
            self.in_flight.end(left);
        }
    }

    /// Has the repair task handle these at once.
    pub(crate) fn repair_now(&self, ids: impl Iterator<Item = DeliveryId>) {
        self.repair.push(ids);
    }
}
