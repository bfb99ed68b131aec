//! Names, labels and annotations of what ck8s makes in a cluster.
use std::fmt;

use ck8s_types::RunId;
use kube::ResourceExt;

/// The label with the run's id.
pub(crate) const RUN_ID: &str = "ck8s.io/run-id";
/// The label with the attempt.
pub(crate) const ATTEMPT: &str = "ck8s.io/attempt";
/// The label that says that it is ours.
pub(crate) const MANAGED_BY: &str = "ck8s.io/managed-by";
/// That label's value, and the field manager of what we apply.
pub(crate) const MANAGER: &str = "ck8s";
/// The annotation with the epoch of the lease that the Job runs under.
pub(crate) const LEASE_EPOCH: &str = "ck8s.io/lease-epoch";
/// The annotation with the place in the stored log at which the workload's output begins.
pub(crate) const LOG_START: &str = "ck8s.io/log-start";
/// The container that is the workload.
pub(crate) const CONTAINER: &str = "run";

/// The selector of all that is ours.
pub(crate) fn ours() -> String {
    format!("{MANAGED_BY}={MANAGER}")
}

/// Where the Job of a run's attempt is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct JobName {
    /// The namespace.
    pub namespace: String,
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub attempt: i32,
}

impl JobName {
    /// The Job's name, and that of its Secret and its NetworkPolicy.
    #[must_use]
    pub fn name(&self) -> String {
        format!("run-{}-{}", self.run.uuid().simple(), self.attempt)
    }

    /// The selector of this attempt's objects.
    pub(crate) fn selector(&self) -> String {
        format!(
            "{},{RUN_ID}={},{ATTEMPT}={}",
            ours(),
            self.run,
            self.attempt
        )
    }

    /// The name that an object's labels give, if it is ours.
    pub(crate) fn of(object: &impl ResourceExt) -> Option<Self> {
        let labels = object.labels();
        Some(Self {
            namespace: object.namespace()?,
            run: labels.get(RUN_ID)?.parse().ok()?,
            attempt: labels.get(ATTEMPT)?.parse().ok()?,
        })
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name())
    }
}
