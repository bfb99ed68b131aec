//! A workload that an executor has started or adopted, as its task follows it.
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ck8s_types::RunReason;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::task::AbortOnDropHandle;

use crate::domain::{Exit, WorkloadEvent};

/// How many events of a workload may wait for its task; there are few.
pub(super) const MAX_WAITING_EVENTS: usize = 16;

/// A workload that is followed. When it is dropped it is no longer followed; a workload of the process executor then
/// ends.
pub struct Workload {
    /// The workload's name in the contract: `kubernetes:<namespace>/<job>` or `process:<pid>`.
    pub reference: String,
    events: mpsc::Receiver<WorkloadEvent>,
    removal: RemovalFlag,
    _driver: AbortOnDropHandle<()>,
}

/// Tells the driver of a workload that the worker removes it: then its end needs no note in the log.
#[derive(Clone, Default)]
pub(super) struct RemovalFlag(Arc<AtomicBool>);

impl RemovalFlag {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Workload {
    pub(super) fn new(
        reference: String,
        events: mpsc::Receiver<WorkloadEvent>,
        removal: RemovalFlag,
        driver: JoinHandle<()>,
    ) -> Self {
        Self {
            reference,
            events,
            removal,
            _driver: AbortOnDropHandle::new(driver),
        }
    }

    /// Returns the next event. Cancel-safe.
    pub async fn watch(&mut self) -> WorkloadEvent {
        let broken = || {
            let message = "the worker lost sight of the workload";
            WorkloadEvent::Lost(Exit::without_code(RunReason::WorkloadLost, message))
        };
        self.events.recv().await.unwrap_or_else(broken)
    }

    /// Announces that the worker is about to remove the workload.
    pub fn expect_end(&self) {
        self.removal.set();
    }

    /// Returns when no event follows: the workload's log has been read.
    pub async fn ended(&mut self) {
        while self.events.recv().await.is_some() {}
    }
}
