//! Where the logs end that this process writes, so that it need not ask the database before each piece.
use std::collections::HashMap;

use ck8s_types::{LeaseRef, WorkerId};
use parking_lot::Mutex;

use crate::domain::LogEnd;

/// Logs whose ends are remembered; beyond it all are forgotten, and read again: bounds memory.
const MAX_LOGS: usize = 10_000;

/// A lease as a worker names it, and the worker if a certificate says who it is.
type Key = (LeaseRef, Option<WorkerId>);

/// Where logs end: a hint. The key of the pieces tells when another replica has written meanwhile.
#[derive(Default)]
pub(crate) struct LogOffsets(Mutex<HashMap<Key, LogEnd>>);

impl LogOffsets {
    /// Returns the end, if this process wrote the log before.
    pub(crate) fn get(&self, lease: LeaseRef, holder: Option<&WorkerId>) -> Option<LogEnd> {
        self.0.lock().get(&(lease, holder.cloned())).copied()
    }

    /// Remembers the end; None: it is not known any more.
    pub(crate) fn set(&self, lease: LeaseRef, holder: Option<&WorkerId>, end: Option<LogEnd>) {
        let mut ends = self.0.lock();
        if ends.len() >= MAX_LOGS {
            ends.clear();
        }
        let key = (lease, holder.cloned());
        match end {
            Some(end) => ends.insert(key, end),
            None => ends.remove(&key),
        };
    }
}
