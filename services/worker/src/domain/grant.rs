//! A grant: the lease that the server gives to this worker, and what the worker is to do under it.
use std::{collections::BTreeMap, time::Duration};

use ck8s_types::{Epoch, RunSpec};

use super::WorkloadId;

/// What a worker is to do under a lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GrantPurpose {
    /// Start the workload.
    Start,
    /// Adopt the workload that an earlier lease started.
    TakeOver,
    /// The run has ended: only remove what is left of its workload.
    CleanUp,
}

/// A decoded grant.
pub(crate) struct Grant {
    pub(crate) workload: WorkloadId,
    pub(crate) epoch: Epoch,
    pub(crate) purpose: GrantPurpose,
    /// What runs; or, if it cannot be run as it is described, why.
    pub(crate) spec: Result<RunSpec, String>,
    /// Environment variables that describe the run and its trigger.
    pub(crate) env: BTreeMap<String, String>,
    /// How long the workload has been running already, for a takeover.
    pub(crate) elapsed: Duration,
}
