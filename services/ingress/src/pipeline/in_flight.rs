//! The deliveries that this process handles now, so that repair leaves them alone.
use std::{collections::HashSet, sync::Arc};

use ck8s_types::DeliveryId;
use parking_lot::Mutex;

/// The deliveries that this process handles now; a clone is the same set.
#[derive(Clone, Default)]
pub(crate) struct InFlight {
    ids: Arc<Mutex<HashSet<DeliveryId>>>,
}

impl InFlight {
    /// Marks deliveries as being handled.
    pub(crate) fn begin(&self, ids: impl Iterator<Item = DeliveryId>) {
        self.ids.lock().extend(ids);
    }

    /// Unmarks deliveries.
    pub(crate) fn end(&self, ids: impl IntoIterator<Item = DeliveryId>) {
        let mut in_flight = self.ids.lock();
        for id in ids {
            in_flight.remove(&id);
        }
    }

    /// Returns those of these deliveries that are not being handled.
    pub(crate) fn idle(&self, mut ids: Vec<DeliveryId>) -> Vec<DeliveryId> {
        let in_flight = self.ids.lock();
        ids.retain(|id| !in_flight.contains(id));
        ids
    }
}
