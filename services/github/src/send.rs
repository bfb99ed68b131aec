//! Sending with manners: reads are retried after a failure, writes wait for their turn and are made once.
use ck8s_provider::{Credential, ProviderError, Remote};
use rand::RngExt;

use crate::{
    client::GitHub,
    credential_state::CredentialState,
    request::{Request, TokenScope},
    response::Response,
    transport::unavailable,
};

impl GitHub {
    /// Sends a request about a repository that is known.
    pub(crate) async fn send_to(
        &self,
        credential: &Credential,
        repository: &Remote,
        request: Request<'_>,
    ) -> Result<Response, ProviderError> {
        let scope = TokenScope::RepositoryId(&repository.external_id);
        self.send(credential, scope, request).await
    }

    /// Sends a request and returns GitHub's response, refusals included. Limits, failures and an unknown credential are
    /// errors.
    pub(crate) async fn send(
        &self,
        credential: &Credential,
        scope: TokenScope<'_>,
        request: Request<'_>,
    ) -> Result<Response, ProviderError> {
        let state = self.state(credential);
        if request.is_read() {
            return self
                .send_with_retries(&state, credential, scope, &request)
                .await;
        }
        let write = self.send_with_token(&state, credential, scope, &request);
        state.write_throttle.write(&self.config, write).await
    }

    async fn send_with_retries(
        &self,
        state: &CredentialState,
        credential: &Credential,
        scope: TokenScope<'_>,
        request: &Request<'_>,
    ) -> Result<Response, ProviderError> {
        for retry in 0..=self.config.max_retries {
            let response = self
                .send_with_token(state, credential, scope, request)
                .await;
            match response {
                Err(ProviderError::Unavailable(_)) if retry < self.config.max_retries => {}
                response => return response,
            }
            let delay = self.config.retry_delay * 2_u32.saturating_pow(retry);
            let jitter = rand::rng().random_range(0.0..0.5);
            tokio::time::sleep(delay.mul_f64(1.0 + jitter)).await;
        }
        Err(unavailable("all retries failed"))
    }

    /// Sends a request with the credential's token. An installation token that was revoked before its end is replaced
    /// once, by the first request that meets it.
    async fn send_with_token(
        &self,
        state: &CredentialState,
        credential: &Credential,
        scope: TokenScope<'_>,
        request: &Request<'_>,
    ) -> Result<Response, ProviderError> {
        let token = self.auth_token(state, credential, scope).await?;
        let response = self.send_once(state, request, &token).await;
        let refused = matches!(response, Err(ProviderError::Unauthenticated));
        let is_installation =
            matches!(credential, Credential::App { .. }) && !matches!(scope, TokenScope::App);
        if refused && is_installation {
            self.installation_tokens
                .remove(credential, scope, &token)
                .await;
            let token = self.auth_token(state, credential, scope).await?;
            return self.send_once(state, request, &token).await;
        }
        response
    }
}
