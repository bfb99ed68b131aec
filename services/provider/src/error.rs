//! Why a provider did not do what it was asked.
use thiserror::Error;
use time::OffsetDateTime;

/// Why a provider did not do what it was asked. Never shows a secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProviderError {
    /// The credential is nobody's: unknown, revoked or expired.
    #[error("the provider does not know the credential")]
    Unauthenticated,
    /// The credential may not do this.
    #[error("the credential may not {what}: it needs {permission}")]
    Denied {
        /// What was asked.
        what: &'static str,
        /// The permission, in the provider's own words.
        permission: &'static str,
    },
    /// It is not there, or the credential may not see it.
    #[error("the provider has no {0}, or the credential may not see it")]
    NotFound(&'static str),
    /// The provider refuses what was sent.
    #[error("the provider refuses: {0}")]
    Invalid(String),
    /// Asked too often.
    #[error("waits for {by} until {}", clock(*until))]
    Limited {
        /// The provider's name.
        by: &'static str,
        /// When to come back.
        until: OffsetDateTime,
    },
    /// It cannot be reached, or failed.
    #[error("the provider does not answer: {0}")]
    Unavailable(String),
}

/// The hour and the minute, UTC.
fn clock(at: OffsetDateTime) -> String {
    format!("{:02}:{:02} UTC", at.hour(), at.minute())
}

impl ProviderError {
    /// Whether the same question may be answered later.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(self, Self::Limited { .. } | Self::Unavailable(_))
    }
}
