//! The server that a command calls, and the credential that it sends.
use secrecy::SecretString;

use crate::{
    credentials::{CredentialStore, SessionTokens},
    ready_file::ReadyFile,
};

/// A server, and the credential for it.
pub(crate) struct Target {
    /// The server's base address, without a slash at the end.
    pub(crate) url: String,
    /// The credential of each call.
    pub(crate) credential: Credential,
    /// The ready file of that same server.
    pub(crate) ready: Option<ReadyFile>,
}

/// The credential of each call.
pub(crate) enum Credential {
    /// None: the caller is anonymous.
    None,
    /// An API token.
    Token(SecretString),
    /// A person's session, and the store that keeps it.
    Session(CredentialStore, SessionTokens),
}

impl Target {
    /// A server that is called without a credential.
    pub(crate) fn anonymous(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            credential: Credential::None,
            ready: None,
        }
    }
}

impl Credential {
    /// Returns the API token, if the credential is one.
    pub(crate) fn token(&self) -> Option<&SecretString> {
        match self {
            Self::Token(token) => Some(token),
            Self::None | Self::Session(..) => None,
        }
    }
}
