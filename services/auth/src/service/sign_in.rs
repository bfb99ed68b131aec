//! What sign-in needs: settings, the provider, how often who may ask.
use ck8s_rpc::rate::Rate;
use ck8s_types::SessionId;

use super::Auth;
use crate::{
    config::SignInConfig,
    error::{AuthError, SignInError},
    provider::Provider,
};

/// Refreshes of one session in a minute: a console that is loaded again and again needs a few, and nobody needs more.
const REFRESHES: u32 = 60;
/// Sign-ins of one identity in a minute.
const SIGN_INS: u32 = 30;

/// Sign-in, set up.
#[derive(Debug)]
pub(crate) struct SignIn {
    pub config: SignInConfig,
    provider: Option<Provider>,
    /// By session.
    pub refreshes: Rate<SessionId>,
    /// By the provider's id.
    pub identities: Rate<String>,
}

impl SignIn {
    /// In words, why not.
    pub fn new(mut config: SignInConfig) -> Result<Self, String> {
        let longest = crate::config::LONGEST_ACCESS;
        if config.access_life > longest || config.access_life.as_secs() == 0 {
            return Err(format!(
                "an access token lives 1 to {} s",
                longest.as_secs()
            ));
        }
        let provider = match (config.provider.take(), &config.public_url) {
            (None, _) => None,
            (Some(_), None) => {
                return Err("a provider sends browsers back: say where people reach the console, with CK8S_PUBLIC_URL".to_owned());
            }
            (Some(provider), Some(url)) => Some(Provider::new(provider, url)?),
        };
        Ok(Self {
            config,
            provider,
            refreshes: Rate::per_minute(REFRESHES),
            identities: Rate::per_minute(SIGN_INS),
        })
    }

    /// The provider, if one is configured.
    pub fn provider(&self) -> Result<&Provider, SignInError> {
        self.provider.as_ref().ok_or(SignInError::NoProvider)
    }
}

impl Auth {
    /// Sign-in, if this process was given a key ring.
    pub(super) fn sign_in(&self) -> Result<&SignIn, AuthError> {
        let sign_in = self.sign_in.as_deref();
        sign_in.ok_or_else(|| SignInError::SessionsOff.into())
    }
}
