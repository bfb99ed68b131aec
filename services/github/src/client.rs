//! The client of one GitHub: its transport, and what this process remembers of each credential.
use ck8s_provider::{Credential, ProviderError};
use http::StatusCode;
use secrecy::SecretString;
use tokio::time::timeout;

use crate::{
    config::GitHubConfig,
    credential_state::{CredentialState, CredentialStates},
    installation_tokens::InstallationTokens,
    request::Request,
    response::Response,
    transport::{Transport, unavailable},
};

/// A client of GitHub, or of a GitHub Enterprise Server.
pub struct GitHub {
    pub(crate) transport: Transport,
    pub(crate) credentials: CredentialStates,
    pub(crate) installation_tokens: InstallationTokens,
    pub(crate) config: GitHubConfig,
}

impl GitHub {
    /// Creates a client of the API at an address: `https://api.github.com`, or `https://HOST/api/v3`. Call it inside a
    /// Tokio runtime; the client needs that runtime for as long as it lives.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`]: the text is not a URL.
    /// [`ProviderError::Unavailable`]: this machine has no certificate authorities.
    pub fn new(api_url: &str) -> Result<Self, ProviderError> {
        Self::with_config(api_url, GitHubConfig::default())
    }

    /// Creates a client with other timeouts and rates.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_config(api_url: &str, config: GitHubConfig) -> Result<Self, ProviderError> {
        Ok(Self {
            transport: Transport::new(api_url)?,
            credentials: CredentialStates::default(),
            installation_tokens: InstallationTokens::default(),
            config,
        })
    }

    /// Sends a request once, with this token. Fails at once while the credential is limited, and records what the
    /// response says about limits.
    pub(crate) async fn send_once(
        &self,
        state: &CredentialState,
        request: &Request<'_>,
        token: &SecretString,
    ) -> Result<Response, ProviderError> {
        state.check_limit()?;
        let limit = self.config.request_timeout;
        let response = timeout(limit, self.transport.send(request, token)).await;
        let response = response
            .map_err(|_| unavailable(format!("no answer within {} s", limit.as_secs_f32())))??;
        state.record_limits(&response)?;
        match response.status {
            StatusCode::UNAUTHORIZED => Err(ProviderError::Unauthenticated),
            StatusCode::REQUEST_TIMEOUT => Err(unavailable("it answered 408")),
            status if status.is_server_error() => {
                Err(unavailable(format!("it answered {}", status.as_u16())))
            }
            _ => Ok(response),
        }
    }

    /// Returns what this process remembers of a credential.
    pub(crate) fn state(&self, credential: &Credential) -> std::sync::Arc<CredentialState> {
        self.credentials.get(credential)
    }
}
