//! The error for another service that cannot be reached, or that cannot answer now.
use thiserror::Error;

/// A service did not answer, or answered that it cannot do so now. Cheap to clone: many callers wait for one call.
#[derive(Clone, Debug, Error)]
#[error("{service} is unavailable: {cause}")]
pub(crate) struct ServiceUnavailable {
    /// The service's name.
    pub(crate) service: &'static str,
    /// The cause, for the log.
    pub(crate) cause: String,
}

impl ServiceUnavailable {
    /// The repositories service is unavailable.
    pub(crate) fn repositories(cause: impl Into<String>) -> Self {
        Self {
            service: "repositories",
            cause: cause.into(),
        }
    }

    /// The runs service is unavailable.
    pub(crate) fn runs(cause: impl Into<String>) -> Self {
        Self {
            service: "runs",
            cause: cause.into(),
        }
    }

    /// The provider, behind the repositories service, is unavailable.
    pub(crate) fn provider(cause: impl Into<String>) -> Self {
        Self {
            service: "the provider",
            cause: cause.into(),
        }
    }
}
