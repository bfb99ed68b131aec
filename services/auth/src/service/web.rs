//! Sign-in in the browser: OAuth's authorization code with PKCE (RFC 7636); the state works once, in the browser that began.
use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;

use super::Auth;
use crate::{
    domain::{self, Secret, Session, Via, checked_return_to},
    error::{AuthError, SignInError},
    store::sign_ins,
};

/// How long a person has at the provider's page.
pub(crate) const LIFE: Duration = Duration::from_secs(600);

/// A sign-in that has begun.
pub(crate) struct Started {
    pub authorize_url: String,
    /// For a cookie of the browser that began it.
    pub browser: Secret,
}

/// What a browser came back with.
pub(crate) struct CameBack<'a> {
    pub code: &'a str,
    pub state: &'a str,
    pub browser: &'a str,
    /// The provider's error instead of a code.
    pub error: &'a str,
}

impl Auth {
    /// Begins one.
    pub(crate) async fn start_sign_in(&self, return_to: String) -> Result<Started, AuthError> {
        let sign_in = self.sign_in()?;
        let provider = sign_in.provider()?;
        let return_to = checked_return_to(return_to)?;
        let (state, browser, verifier) = (Secret::new(""), Secret::new(""), Secret::new(""));
        let challenge = URL_SAFE_NO_PAD.encode(verifier.hash());
        let authorize_url = provider.authorize_url(state.expose(), &challenge)?;
        let row = sign_ins::associated(&state.hash());
        let sealed = sign_in
            .config
            .key_ring
            .seal(&row, verifier.expose().as_bytes());
        let sealed = sealed.map_err(|_| AuthError::Unmade)?;
        let mut conn = self.pool.acquire().await?;
        let (of_state, of_browser) = (state.hash(), browser.hash());
        sign_ins::insert_web(&mut conn, &of_state, &of_browser, &sealed, &return_to, LIFE).await?;
        drop(conn);
        self.upkeep.sweep(&self.pool);
        Ok(Started {
            authorize_url,
            browser,
        })
    }

    /// Ends it: a session, and where the browser goes. The state is used up first, whatever comes of it.
    pub(crate) async fn finish_sign_in(
        &self,
        back: CameBack<'_>,
    ) -> Result<(Session, String), AuthError> {
        let sign_in = self.sign_in()?;
        let provider = sign_in.provider()?;
        let (state, browser) = (domain::hash(back.state), domain::hash(back.browser));
        let mut conn = self.pool.acquire().await?;
        let used = sign_ins::use_web(&mut conn, &state, &browser).await?;
        drop(conn);
        let (sealed, return_to) = used.ok_or(SignInError::StateRefused)?;
        match back.error {
            "" => {}
            "access_denied" => {
                self.declined(Via::Web).await?;
                return Err(SignInError::AccessDenied.into());
            }
            error => {
                let said = error.chars().filter(char::is_ascii_graphic).take(60);
                return Err(SignInError::Misconfigured(said.collect()).into());
            }
        }
        let verifier = sign_in
            .config
            .key_ring
            .open_text(&sign_ins::associated(&state), &sealed)?;
        let token = provider
            .exchange(back.code, verifier.expose_secret())
            .await?;
        let identity = provider.identity(&token).await?;
        drop(token);
        let session = self.admit(&identity, Via::Web, None).await?;
        Ok((session, return_to))
    }
}
