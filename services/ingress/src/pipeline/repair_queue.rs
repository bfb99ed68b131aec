//! The deliveries that the repair task handles at once, without waiting for its next sweep.
use std::sync::Arc;

use ck8s_types::DeliveryId;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Bounds the deliveries in the queue; the rest waits for the next sweep.
const MAX_QUEUED_DELIVERIES: usize = 10_000;

/// The queue; a clone is the same queue.
#[derive(Clone, Default)]
pub(crate) struct RepairQueue {
    ids: Arc<Mutex<Vec<DeliveryId>>>,
    filled: Arc<Notify>,
}

impl RepairQueue {
    /// Adds deliveries, as many as there is room for.
    pub(crate) fn push(&self, ids: impl Iterator<Item = DeliveryId>) {
        let mut queued = self.ids.lock();
        let room = MAX_QUEUED_DELIVERIES.saturating_sub(queued.len());
        queued.extend(ids.take(room));
        self.filled.notify_one();
    }

    /// Waits until there are deliveries, and takes them all.
    pub(crate) async fn take(&self) -> Vec<DeliveryId> {
        self.filled.notified().await;
        std::mem::take(&mut *self.ids.lock())
    }
}
