//! Labels, annotations and fixed names of what ck8s makes in a cluster.

/// The label with the run's id.
pub(crate) const RUN_ID: &str = "ck8s.io/run-id";
/// The label with the attempt.
pub(crate) const ATTEMPT: &str = "ck8s.io/attempt";
/// The label that marks what ck8s made.
pub(crate) const MANAGED_BY: &str = "ck8s.io/managed-by";
/// The label with the id of the installation that made it. Objects of older programs have none.
pub(crate) const INSTALLATION: &str = "ck8s.io/installation";
/// The value of the label that marks what ck8s made, and the field manager of what ck8s applies.
pub(crate) const MANAGER: &str = "ck8s";
/// The annotation with the epoch of the lease that the Job runs under.
pub(crate) const LEASE_EPOCH: &str = "ck8s.io/lease-epoch";
/// The annotation with the offset in the stored log at which the workload's output begins.
pub(crate) const LOG_START: &str = "ck8s.io/log-start";
/// The name of the container that is the workload.
pub(crate) const CONTAINER: &str = "run";
/// The service account of pods. It has no rights, and its token is not mounted.
pub(crate) const SERVICE_ACCOUNT: &str = "ck8s-run";

/// Returns the selector of everything that ck8s made, whichever installation it was.
pub(crate) fn managed_selector() -> String {
    format!("{MANAGED_BY}={MANAGER}")
}
