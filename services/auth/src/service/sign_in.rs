//! Sign-in as it is set up: the settings, the OAuth client, and how often one may sign in or refresh.
use ck8s_rpc::rate::Rate;
use ck8s_types::SessionId;

use crate::{
    config::SignInConfig, domain::MAX_ACCESS_TOKEN_TTL, error::SignInError, oauth::OAuthClient,
};

/// Refreshes of one session in a minute: a console that is reloaded again and again needs a few, and nobody needs more.
const REFRESHES_PER_MINUTE: u32 = 60;
/// Sign-ins of one identity in a minute.
const SIGN_INS_PER_MINUTE: u32 = 30;

/// Sign-in, set up.
#[derive(Debug)]
pub(crate) struct SignIn {
    pub config: SignInConfig,
    oauth: Option<OAuthClient>,
    /// By session.
    pub refresh_rate: Rate<SessionId>,
    /// By the identity's id.
    pub sign_in_rate: Rate<String>,
}

impl SignIn {
    /// Sets up sign-in.
    ///
    /// # Errors
    /// In words, if the settings are invalid.
    pub(crate) fn new(mut config: SignInConfig) -> Result<Self, String> {
        if config.access_token_ttl > MAX_ACCESS_TOKEN_TTL || config.access_token_ttl.as_secs() == 0
        {
            let max = MAX_ACCESS_TOKEN_TTL.as_secs();
            return Err(format!("an access token lives 1 to {max} s"));
        }
        let oauth = match (config.oauth.take(), &config.public_url) {
            (None, _) => None,
            (Some(_), None) => {
                return Err("the provider sends browsers back to the console: say where people reach it, with CK8S_PUBLIC_URL".to_owned());
            }
            (Some(oauth), Some(url)) => Some(OAuthClient::new(oauth, url)?),
        };
        Ok(Self {
            config,
            oauth,
            refresh_rate: Rate::per_minute(REFRESHES_PER_MINUTE),
            sign_in_rate: Rate::per_minute(SIGN_INS_PER_MINUTE),
        })
    }

    /// Returns the OAuth client, if a provider is configured.
    pub(crate) fn oauth(&self) -> Result<&OAuthClient, SignInError> {
        self.oauth.as_ref().ok_or(SignInError::NoProvider)
    }
}
