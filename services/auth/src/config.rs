//! What sign-in is told.
use std::time::Duration;

use ck8s_sealing::KeyRing;
use secrecy::SecretString;

/// An access token's longest life: what is shorter costs more refreshes, what is longer outlives what its bearer may.
pub const LONGEST_ACCESS: Duration = Duration::from_secs(15 * 60);
/// How long a key signs.
const KEY_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The issuer of a server that was not told where people reach it.
const ISSUER: &str = "ck8s";

/// Settings of sign-in and sessions.
#[derive(Debug)]
pub struct SignInConfig {
    /// Seals signing keys and what a sign-in must remember.
    pub key_ring: KeyRing,
    /// Who signs access tokens, as they name it: the same for all replicas.
    pub issuer: String,
    /// Where people reach the console, without a slash at the end: the provider sends browsers back there.
    pub public_url: Option<String>,
    /// Who says who people are; none: they come by one-time links alone.
    pub provider: Option<ProviderConfig>,
    /// How long an access token lives; [`LONGEST_ACCESS`] at most.
    pub access_life: Duration,
    /// How long a key signs before the next one is made.
    pub key_life: Duration,
}

/// The OAuth app at GitHub, or at a GitHub Enterprise Server.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Where people sign in: `https://github.com`.
    pub url: String,
    /// Its API: `https://api.github.com`.
    pub api_url: String,
    /// The app's public id.
    pub client_id: String,
    /// The app's secret.
    pub client_secret: SecretString,
}

impl SignInConfig {
    /// Sessions and links, and no provider.
    #[must_use]
    pub fn new(key_ring: KeyRing) -> Self {
        Self {
            key_ring,
            issuer: ISSUER.to_owned(),
            public_url: None,
            provider: None,
            access_life: LONGEST_ACCESS,
            key_life: KEY_LIFE,
        }
    }
}
