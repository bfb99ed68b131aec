//! What every executor does.
use std::time::Duration;

use async_trait::async_trait;
use ck8s_types::{Epoch, InstallationId};
use secrecy::SecretString;

use super::workload::Workload;
use crate::{
    domain::{LogSink, WorkloadId, WorkloadRequest},
    error::ExecutorError,
};

/// Runs workloads.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Whether a workload goes on when its worker is gone, so that another one can adopt it.
    fn outlives_worker(&self) -> bool;

    /// Works for this installation from now on: only workloads that it started are touched. None: the server is older
    /// than the ids of installations. Nothing is started, adopted or followed before.
    fn serve(&self, installation: Option<InstallationId>);

    /// Returns the labels that follow from where workloads run. The label `cluster=<id>` bounds who may adopt them.
    fn labels(&self) -> Vec<String>;

    /// Starts a workload. If it exists already, it is adopted, or ended first where it cannot be adopted: there are
    /// never two.
    ///
    /// # Errors
    /// [`ExecutorError`].
    async fn start(
        &self,
        workload: &WorkloadRequest,
        log: &LogSink,
    ) -> Result<Workload, ExecutorError>;

    /// Adopts a workload that another worker started, or this one before a restart. None: it is certain that there is
    /// none.
    ///
    /// # Errors
    /// [`ExecutorError`].
    async fn adopt(
        &self,
        workload: &WorkloadRequest,
        log: &LogSink,
    ) -> Result<Option<Workload>, ExecutorError>;

    /// Returns the secret values that a workload was started with, as far as they are kept outside the server.
    ///
    /// # Errors
    /// [`ExecutorError`].
    async fn given_secrets(
        &self,
        workload: &WorkloadId,
    ) -> Result<Vec<SecretString>, ExecutorError>;

    /// Ends a workload, if there is one, and removes what belongs to it. Returns when all of it is gone; safe to
    /// repeat. With the epoch of a lease, a workload that a newer lease holds is left alone
    /// ([`ExecutorError::Superseded`]).
    ///
    /// # Errors
    /// [`ExecutorError`].
    async fn remove(
        &self,
        workload: &WorkloadId,
        epoch: Option<Epoch>,
        grace: Duration,
    ) -> Result<(), ExecutorError>;

    /// Returns the workloads of which something is left, including those that this worker follows.
    ///
    /// # Errors
    /// [`ExecutorError`].
    async fn leftovers(&self) -> Result<Vec<WorkloadId>, ExecutorError>;
}
