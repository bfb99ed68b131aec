//! Sessions: a sign-in and what is refreshed from it.
use ck8s_types::SessionId;
use secrecy::SecretString;
use time::OffsetDateTime;

use super::Secret;

/// How a refresh token begins.
pub(crate) const REFRESH: &str = "ck8s_ref_";

/// How a session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// In the browser, at the provider.
    Web,
    /// On a machine without a browser.
    Device,
    /// By a one-time link.
    Link,
}

impl Via {
    /// Its word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Device => "device",
            Self::Link => "link",
        }
    }
}

/// What a person gets: both tokens, shown here and nowhere else.
#[derive(Debug)]
pub(crate) struct Session {
    pub id: SessionId,
    pub access: SecretString,
    pub access_expires_at: OffsetDateTime,
    pub refresh: Secret,
    pub refresh_expires_at: OffsetDateTime,
}
