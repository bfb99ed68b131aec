//! How the worker names a lease, and what the lease stream signals to the task that serves it.
use std::time::Duration;

use ck8s_types::RunId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Moment;

/// One holding of a run by this worker. A run that is granted again after its lease ended gets another serial.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct LeaseKey {
    pub(crate) run_id: RunId,
    pub(crate) serial: u64,
}

/// What the lease stream signals to the task of a lease.
pub(crate) struct LeaseSignals {
    /// Cancelled when this worker no longer holds the lease: nothing more may be reported.
    pub(crate) ended: CancellationToken,
    /// Set when the workload is to be stopped, to the grace that it has.
    pub(crate) cancel: watch::Sender<Option<Duration>>,
    /// When the lease expires unless it is renewed.
    pub(crate) expiry: watch::Sender<Moment>,
}

impl LeaseSignals {
    pub(crate) fn new(expiry: Moment) -> Self {
        Self {
            ended: CancellationToken::new(),
            cancel: watch::Sender::new(None),
            expiry: watch::Sender::new(expiry),
        }
    }
}
