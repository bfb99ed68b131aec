//! Sign-in in the browser: OAuth's authorization code with PKCE (RFC 7636). The state works once, in the browser that
//! started the sign-in.
use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::auth::Auth;
use crate::{
    domain::{
        self, AuthorizationCallback, BrowserSignIn, Secret, Session, SignInMethod,
        checked_return_to,
    },
    error::{AuthError, SignInError},
    oauth,
    store::sign_ins::{self, NewBrowserSignIn},
};

/// How long a person has at the provider's page.
const SIGN_IN_TTL: Duration = Duration::from_secs(600);

impl Auth {
    /// Starts a sign-in.
    pub(crate) async fn start_sign_in(
        &self,
        return_to: String,
    ) -> Result<BrowserSignIn, AuthError> {
        let sign_in = self.sign_in()?;
        let oauth = sign_in.oauth()?;
        let return_to = checked_return_to(return_to)?;
        let [state, browser_secret, verifier] = [(); 3].map(|()| Secret::generate(""));
        let challenge = URL_SAFE_NO_PAD.encode(verifier.hash());
        let authorize_url = oauth.authorize_url(state.expose(), &challenge)?;
        let row = sign_ins::associated_data(&state.hash());
        let key_ring = &sign_in.config.key_ring;
        let sealed = key_ring
            .seal(&row, verifier.expose().as_bytes())
            .map_err(|_| AuthError::SecretCreation)?;
        let started = NewBrowserSignIn {
            state: state.hash(),
            browser: browser_secret.hash(),
            sealed,
            return_to: &return_to,
            ttl: SIGN_IN_TTL,
        };
        sign_ins::insert_browser(&mut *self.pool.acquire().await?, started).await?;
        Ok(BrowserSignIn {
            authorize_url,
            browser_secret,
            ttl: SIGN_IN_TTL,
        })
    }

    /// Finishes a sign-in. Returns the session, and the path where the browser goes. The state is used up, whatever the
    /// result.
    pub(crate) async fn finish_sign_in(
        &self,
        callback: AuthorizationCallback<'_>,
    ) -> Result<(Session, String), AuthError> {
        let sign_in = self.sign_in()?;
        let client = sign_in.oauth()?;
        let state = domain::hash(callback.state);
        let browser = domain::hash(callback.browser_secret);
        let mut conn = self.pool.acquire().await?;
        let taken = sign_ins::take_browser(&mut conn, &state, &browser).await?;
        drop(conn);
        let (sealed, return_to) = taken.ok_or(SignInError::StateRefused)?;
        if !callback.error.is_empty() {
            let refusal = oauth::refusal(callback.error);
            if matches!(refusal, SignInError::AccessDenied) {
                self.record_decline(SignInMethod::Browser).await?;
            }
            return Err(refusal.into());
        }
        let row = sign_ins::associated_data(&state);
        let verifier = sign_in.config.key_ring.open_text(&row, &sealed)?;
        let token = client.exchange_code(callback.code, &verifier).await?;
        let identity = client.identity(&token).await?;
        drop(token);
        let session = self.admit(&identity, SignInMethod::Browser, None).await?;
        Ok((session, return_to))
    }
}
