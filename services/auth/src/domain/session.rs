//! Sessions: a sign-in, and the tokens that are refreshed from it.
use ck8s_types::SessionId;
use secrecy::SecretString;
use time::OffsetDateTime;

use super::secret::Secret;

/// The prefix of refresh tokens.
pub(crate) const REFRESH_TOKEN_PREFIX: &str = "ck8s_ref_";

/// The way in which a person signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignInMethod {
    /// At the provider, in the browser.
    Browser,
    /// At the provider, with a code that a machine without a browser shows.
    Device,
    /// With a one-time link.
    Link,
}

impl SignInMethod {
    /// Returns its word in the database and in flow events.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "web",
            Self::Device => "device",
            Self::Link => "link",
        }
    }
}

/// A session's current tokens, for the answer to whoever signed in or refreshed.
#[derive(Debug)]
pub(crate) struct Session {
    pub id: SessionId,
    pub access_token: SecretString,
    pub access_expires_at: OffsetDateTime,
    pub refresh_token: Secret,
    pub refresh_expires_at: OffsetDateTime,
}
