//! What the lease tasks and the sweep share.
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{connection::Connection, executor::Executor, lease::LeaseTable, log::Shipper};

/// The shared parts of a running worker.
pub(crate) struct WorkerContext {
    pub(crate) leases: Arc<LeaseTable>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) shipper: Shipper,
    /// Cancelled when the worker takes no more work and hands back what it holds.
    pub(crate) drain: CancellationToken,
}
