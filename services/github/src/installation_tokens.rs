//! The cache of installation tokens: each lives an hour, reaches one repository, and is used until shortly before its
//! end.
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use ck8s_provider::{Credential, ProviderError};
use moka::{Expiry, future::Cache, ops::compute::Op};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use crate::{
    credential_state::{CredentialDigest, digest},
    request::TokenScope,
};

/// How many tokens are kept: more than an installation has repositories. One that was dropped is created again.
const MAX_TOKENS: u64 = 10_000;
/// A token that ends sooner than this is not used: a request takes a while, and clocks differ.
const MIN_REMAINING: Duration = Duration::from_secs(5 * 60);

/// A token of an app's installation.
#[derive(Clone)]
pub(crate) struct InstallationToken {
    pub token: SecretString,
    /// What it may do, by GitHub's names of permissions.
    pub permissions: BTreeMap<String, String>,
    pub expires_at: OffsetDateTime,
}

/// The credential that a token was made with, and its scope.
type Key = (CredentialDigest, String);

/// The tokens of all installations that this process acts for.
pub(crate) struct InstallationTokens(Cache<Key, InstallationToken>);

impl Default for InstallationTokens {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_TOKENS)
            .expire_after(BeforeItsEnd)
            .build();
        Self(cache)
    }
}

impl InstallationTokens {
    /// Returns the token for a scope. Callers that find none at the same time wait for one `create`.
    pub(crate) async fn get_or_create(
        &self,
        credential: &Credential,
        scope: TokenScope<'_>,
        create: impl Future<Output = Result<InstallationToken, ProviderError>>,
    ) -> Result<InstallationToken, ProviderError> {
        let token = self.0.try_get_with(key(credential, scope), create).await;
        token.map_err(|error| error.as_ref().clone())
    }

    /// Drops a token that GitHub refuses, unless another one has taken its place.
    pub(crate) async fn remove(
        &self,
        credential: &Credential,
        scope: TokenScope<'_>,
        refused: &SecretString,
    ) {
        let entry = self.0.entry(key(credential, scope));
        entry
            .and_compute_with(async |kept| match kept {
                Some(kept) if same(&kept.value().token, refused) => Op::Remove,
                _ => Op::Nop,
            })
            .await;
    }
}

fn key(credential: &Credential, scope: TokenScope<'_>) -> Key {
    (digest(credential), format!("{scope:?}"))
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

/// Lets a token expire in the cache before GitHub lets it expire.
struct BeforeItsEnd;

impl Expiry<Key, InstallationToken> for BeforeItsEnd {
    fn expire_after_create(
        &self,
        _key: &Key,
        token: &InstallationToken,
        _created_at: Instant,
    ) -> Option<Duration> {
        let remaining = token.expires_at - OffsetDateTime::now_utc();
        let remaining = Duration::try_from(remaining).unwrap_or_default();
        Some(remaining.saturating_sub(MIN_REMAINING))
    }
}
