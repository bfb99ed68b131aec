//! The errors of a provider.
use thiserror::Error;
use time::OffsetDateTime;

/// Why a provider did not do what it was asked. Never shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProviderError {
    /// The credential is unknown, revoked or expired.
    #[error("the provider does not know the credential")]
    Unauthenticated,
    /// The credential lacks a permission.
    #[error("the credential may not {what}: it needs {permission}")]
    Denied {
        /// What the request would have done: completes "the credential may not".
        what: &'static str,
        /// The permission, as the provider calls it.
        permission: &'static str,
    },
    /// The resource does not exist, or the credential may not see it. The text completes "the provider has no".
    #[error("the provider has no {0}, or the credential may not see it")]
    NotFound(&'static str),
    /// The provider refuses the content of the request, for this reason.
    #[error("the provider refuses: {0}")]
    Invalid(String),
    /// Too many requests were made.
    #[error("waits for {by} until {}", clock(*until))]
    RateLimited {
        /// The provider's name.
        by: &'static str,
        /// When the next request may be made.
        until: OffsetDateTime,
    },
    /// The provider cannot be reached, or failed.
    #[error("the provider does not answer: {0}")]
    Unavailable(String),
}

/// Formats the hour and the minute, UTC.
fn clock(at: OffsetDateTime) -> String {
    format!("{:02}:{:02} UTC", at.hour(), at.minute())
}

impl ProviderError {
    /// Reports whether the same request may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable(_))
    }
}
