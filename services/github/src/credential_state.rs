//! What this process remembers of a credential: its limits, its write throttle, and the account that it belongs to.
use std::{collections::HashMap, sync::Arc};

use ck8s_provider::{Actor, Credential, ProviderError, Quota};
use http::StatusCode;
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::sync::OnceCell;

use crate::{rate_limit, response::Response, throttle::WriteThrottle};

/// How many credentials are remembered. Beyond that, the ones that no request uses at the moment are forgotten; they
/// only lose what GitHub tells again.
const MAX_CREDENTIALS: usize = 4096;

/// Identifies a credential in memory without holding it.
pub(crate) type CredentialDigest = [u8; 32];

/// The states of all credentials that this process uses.
#[derive(Default)]
pub(crate) struct CredentialStates(Mutex<HashMap<CredentialDigest, Arc<CredentialState>>>);

/// The state of one credential.
#[derive(Default)]
pub(crate) struct CredentialState {
    limited_until: Mutex<Option<OffsetDateTime>>,
    quota: Mutex<Option<Quota>>,
    /// The account that the credential acts as. It never changes, so GitHub is asked once.
    pub(crate) actor: OnceCell<Actor>,
    pub(crate) write_throttle: WriteThrottle,
    /// Held while a token of an installation is created: one at a time for each credential.
    pub(crate) token_creation: tokio::sync::Mutex<()>,
}

impl CredentialStates {
    /// Returns a credential's state.
    pub(crate) fn get(&self, credential: &Credential) -> Arc<CredentialState> {
        let mut states = self.0.lock();
        if states.len() >= MAX_CREDENTIALS {
            states.retain(|_, state| Arc::strong_count(state) > 1);
        }
        states.entry(digest(credential)).or_default().clone()
    }
}

impl CredentialState {
    /// Fails while GitHub wants no requests from this credential.
    pub(crate) fn check_limit(&self) -> Result<(), ProviderError> {
        match *self.limited_until.lock() {
            Some(until) if until > OffsetDateTime::now_utc() => Err(rate_limit::error(until)),
            _ => Ok(()),
        }
    }

    /// Records what a response says about limits; fails if it is a refusal because of one.
    pub(crate) fn record_limits(&self, response: &Response) -> Result<(), ProviderError> {
        // Without a credential that GitHub knows, the headers tell the limit of our address.
        if response.status == StatusCode::UNAUTHORIZED {
            return Ok(());
        }
        if let Some(quota) = rate_limit::quota(response) {
            *self.quota.lock() = Some(quota);
        }
        let Some(until) = rate_limit::limited_until(response, OffsetDateTime::now_utc()) else {
            return Ok(());
        };
        let mut limited_until = self.limited_until.lock();
        *limited_until = Some(limited_until.map_or(until, |before| before.max(until)));
        if rate_limit::is_refusal(response) {
            return Err(rate_limit::error(until));
        }
        Ok(())
    }

    /// Returns what the last response said about the credential's quota.
    pub(crate) fn quota(&self) -> Option<Quota> {
        *self.quota.lock()
    }
}

/// Hashes every part of a credential with its length, so that two that differ anywhere share nothing.
pub(crate) fn digest(credential: &Credential) -> CredentialDigest {
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    };
    match credential {
        Credential::Token(token) => add(token.expose_secret()),
        Credential::App {
            app_id,
            installation_id,
            private_key,
        } => {
            add(app_id);
            add(installation_id);
            add(private_key.expose_secret());
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_differ_in_any_part_have_different_digests() {
        let app = |app_id: &str, installation_id: &str, key: &str| {
            digest(&Credential::App {
                app_id: app_id.into(),
                installation_id: installation_id.into(),
                private_key: key.into(),
            })
        };
        assert_ne!(app("1", "23", "k"), app("12", "3", "k"));
        assert_ne!(app("1", "23", "k"), app("1", "23", "l"));
        assert_eq!(app("1", "23", "k"), app("1", "23", "k"));
        assert_ne!(
            digest(&Credential::Token("123k".into())),
            app("1", "23", "k")
        );
    }
}
