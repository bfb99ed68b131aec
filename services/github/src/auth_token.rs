//! The token of the Authorization header: a personal token as it is, a JWT for an app, a short-lived token for an
//! installation.
use ck8s_provider::{Credential, ProviderError};
use http::{Method, StatusCode};
use octocrab::{
    auth::{EncodingKey, create_jwt},
    models::AppId,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    client::GitHub,
    credential_state::CredentialState,
    installation_tokens::InstallationToken,
    models, operations, path,
    request::{Request, TokenScope},
};

impl GitHub {
    /// Returns the token with which a credential makes a request of this scope.
    pub(crate) async fn auth_token(
        &self,
        state: &CredentialState,
        credential: &Credential,
        scope: TokenScope<'_>,
    ) -> Result<SecretString, ProviderError> {
        match (credential, scope) {
            (Credential::Token(token), _) => Ok(token.clone()),
            (Credential::App { .. }, TokenScope::App) => app_jwt(credential),
            (Credential::App { .. }, _) => {
                let token = self.installation_token(state, credential, scope).await?;
                Ok(token.token)
            }
        }
    }

    /// Returns an installation's token for a scope, from the cache or a new one.
    pub(crate) async fn installation_token(
        &self,
        state: &CredentialState,
        credential: &Credential,
        scope: TokenScope<'_>,
    ) -> Result<InstallationToken, ProviderError> {
        let create = self.create_installation_token(state, credential, scope);
        let tokens = &self.installation_tokens;
        tokens.get_or_create(credential, scope, create).await
    }

    async fn create_installation_token(
        &self,
        state: &CredentialState,
        credential: &Credential,
        scope: TokenScope<'_>,
    ) -> Result<InstallationToken, ProviderError> {
        let Credential::App {
            installation_id, ..
        } = credential
        else {
            return Err(ProviderError::Unauthenticated);
        };
        let installation = path::segment(installation_id);
        let path = format!("/app/installations/{installation}/access_tokens");
        let operation = operations::CREATE_INSTALLATION_TOKEN;
        let request = Request::new(Method::POST, path, operation).with_body(token_body(scope)?);
        let _one_at_a_time = state.token_creation.lock().await;
        let response = self
            .send_once(state, &request, &app_jwt(credential)?)
            .await?;
        // GitHub answers 422 if the installation does not reach the repository.
        if response.status == StatusCode::UNPROCESSABLE_ENTITY {
            return Err(ProviderError::NotFound(operation.resource));
        }
        let created: models::InstallationToken = response.success()?.json()?;
        Ok(InstallationToken {
            token: created.token.into(),
            permissions: created.permissions,
            expires_at: created.expires_at,
        })
    }
}

/// Returns the body of the request for a token: what the token may reach.
fn token_body(scope: TokenScope<'_>) -> Result<Value, ProviderError> {
    let invalid = || ProviderError::Invalid("the repository's id is not a number".to_owned());
    Ok(match scope {
        TokenScope::RepositoryName(full_name) => {
            let name = full_name
                .split_once('/')
                .map_or(full_name, |(_, name)| name);
            json!({ "repositories": [name] })
        }
        TokenScope::RepositoryId(id) => {
            json!({ "repository_ids": [id.parse::<i64>().map_err(|_| invalid())?] })
        }
        TokenScope::NoRepository | TokenScope::App => {
            json!({ "permissions": { "metadata": "read" } })
        }
    })
}

/// Signs a JWT that proves for some minutes that the caller is the app.
fn app_jwt(credential: &Credential) -> Result<SecretString, ProviderError> {
    let invalid = |what: &str| ProviderError::Invalid(what.to_owned());
    let Credential::App {
        app_id,
        private_key,
        ..
    } = credential
    else {
        return Err(ProviderError::Unauthenticated);
    };
    let app_id: u64 = app_id
        .parse()
        .map_err(|_| invalid("the app's id is not a number"))?;
    let pem = private_key.expose_secret().as_bytes();
    let key = EncodingKey::from_rsa_pem(pem)
        .map_err(|_| invalid("the app's private key is not an RSA key in PEM"))?;
    let jwt = create_jwt(AppId(app_id), &key)
        .map_err(|_| invalid("the app's private key cannot sign"))?;
    Ok(jwt.into())
}
