//! What goes into the Authorization header: a personal token as it is; for an app a token that lives an hour and reaches one repository,
//! made when it is needed and kept until shortly before its end.
use ck8s_provider::{Credential, ProviderError};
use http::Method;
use octocrab::{
    auth::{EncodingKey, create_jwt},
    models::AppId,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    GitHub,
    ask::{Ask, Scope, part},
    caller::Caller,
    needs,
    wire::Installed,
};

/// A token that ends sooner than this is not used any more: a request may take a while, and clocks differ.
const SPARE: Duration = Duration::minutes(5);

/// An installation's token.
#[derive(Clone)]
pub(crate) struct Minted {
    pub token: SecretString,
    pub permissions: std::collections::BTreeMap<String, String>,
    ends: OffsetDateTime,
}

impl GitHub {
    /// What this credential shows for that.
    pub(crate) async fn bearer(
        &self,
        caller: &Caller,
        credential: &Credential,
        scope: Scope<'_>,
    ) -> Result<SecretString, ProviderError> {
        match (credential, scope) {
            (Credential::Token(token), _) => Ok(token.clone()),
            (Credential::App { .. }, Scope::App) => jwt(credential),
            (Credential::App { .. }, _) => Ok(self.minted(caller, credential, scope).await?.token),
        }
    }

    /// The installation's token for that, from memory or anew. One is made at a time.
    pub(crate) async fn minted(
        &self,
        caller: &Caller,
        credential: &Credential,
        scope: Scope<'_>,
    ) -> Result<Minted, ProviderError> {
        let mut tokens = caller.tokens.lock().await;
        let now = OffsetDateTime::now_utc();
        let key = format!("{scope:?}");
        if let Some(minted) = tokens.get(&key).filter(|minted| minted.ends - SPARE > now) {
            return Ok(minted.clone());
        }
        tokens.retain(|_, minted| minted.ends > now);
        let minted = self.mint(caller, credential, scope).await?;
        tokens.insert(key, minted.clone());
        Ok(minted)
    }

    /// Forgets a token that GitHub does not take any more, unless there is another one already.
    pub(crate) async fn forget(&self, caller: &Caller, scope: Scope<'_>, refused: &SecretString) {
        let mut tokens = caller.tokens.lock().await;
        let key = format!("{scope:?}");
        let same = |minted: &Minted| minted.token.expose_secret() == refused.expose_secret();
        if tokens.get(&key).is_some_and(same) {
            tokens.remove(&key);
        }
    }

    async fn mint(
        &self,
        caller: &Caller,
        credential: &Credential,
        scope: Scope<'_>,
    ) -> Result<Minted, ProviderError> {
        let Credential::App {
            installation_id, ..
        } = credential
        else {
            return Err(ProviderError::Unauthenticated);
        };
        let path = format!("/app/installations/{}/access_tokens", part(installation_id));
        let ask = Ask::new(Method::POST, path, needs::INSTALLATION).with(reach(scope)?);
        let answer = self.attempt(caller, &ask, &jwt(credential)?).await?;
        // GitHub answers so when the installation does not reach the repository.
        if answer.status == http::StatusCode::UNPROCESSABLE_ENTITY {
            return Err(ProviderError::NotFound(needs::INSTALLATION.thing));
        }
        let installed: Installed = answer.good(needs::INSTALLATION)?.read()?;
        Ok(Minted {
            token: installed.token.into(),
            permissions: installed.permissions,
            ends: installed.expires_at,
        })
    }
}

/// What a token is to reach.
fn reach(scope: Scope<'_>) -> Result<Value, ProviderError> {
    let wrong = || ProviderError::Invalid("the repository's id is not a number".to_owned());
    Ok(match scope {
        Scope::Named(full_name) => {
            let name = full_name
                .split_once('/')
                .map_or(full_name, |(_, name)| name);
            json!({ "repositories": [name] })
        }
        Scope::Id(id) => {
            json!({ "repository_ids": [id.parse::<i64>().map_err(|_| wrong())?] })
        }
        Scope::Nothing | Scope::App => json!({ "permissions": { "metadata": "read" } }),
    })
}

/// Shows that we are the app, for some minutes.
fn jwt(credential: &Credential) -> Result<SecretString, ProviderError> {
    let wrong = |what: &str| ProviderError::Invalid(what.to_owned());
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
        .map_err(|_| wrong("the app's id is not a number"))?;
    let pem = private_key.expose_secret().as_bytes();
    let key = EncodingKey::from_rsa_pem(pem)
        .map_err(|_| wrong("the app's private key is not an RSA key in PEM"))?;
    let signed = create_jwt(AppId(app_id), &key)
        .map_err(|_| wrong("the app's private key does not sign"))?;
    Ok(signed.into())
}
