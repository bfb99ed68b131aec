//! The services that ingress calls: repositories (what is needed to verify and match) and runs (which makes the runs).
pub(crate) mod provider;
pub(crate) mod repositories;
pub(crate) mod runs;

use std::time::Duration;

use thiserror::Error;

/// No call of ours takes longer: the edge gives up on a webhook soon after.
pub(crate) const DEADLINE: Duration = Duration::from_secs(8);

/// A service did not answer, or answered that it cannot now. Cheap to clone: many wait for one call.
#[derive(Clone, Debug, Error)]
#[error("{service} is away: {cause}")]
pub(crate) struct Away {
    /// Which.
    pub(crate) service: &'static str,
    /// For the log.
    pub(crate) cause: String,
}
