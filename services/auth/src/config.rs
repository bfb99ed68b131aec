//! The settings of the service.
use std::{path::PathBuf, time::Duration};

use ck8s_sealing::KeyRing;
use secrecy::SecretString;

use crate::domain::MAX_ACCESS_TOKEN_TTL;

/// How long a key signs access tokens unless the settings say otherwise.
const DEFAULT_SIGNING_KEY_TTL: Duration = Duration::from_secs(7 * 24 * 3600);
/// The issuer of access tokens if the settings name none.
const DEFAULT_ISSUER: &str = "ck8s";

/// Settings of the service. The default knows API tokens only: no sign-in, no certificates.
#[derive(Debug, Default)]
pub struct AuthConfig {
    /// Signs certificates of workers; none: workers cannot join with a token.
    pub certificates: Option<CertificateConfig>,
    /// Lets people sign in; none: there are no sessions.
    pub sign_in: Option<SignInConfig>,
    /// The address of a user who becomes a platform admin at the start, unless there is one who can sign in.
    pub first_admin: Option<String>,
}

/// The authority that signs certificates of workers.
#[derive(Clone, Debug)]
pub struct CertificateConfig {
    /// The directory with `ca.crt` and `ca.key`.
    pub authority_dir: PathBuf,
    /// How long a certificate is valid.
    pub ttl: Duration,
}

/// Settings of sign-in and sessions.
#[derive(Debug)]
pub struct SignInConfig {
    /// Seals signing keys, and what the service remembers of a sign-in.
    pub key_ring: KeyRing,
    /// The issuer in access tokens. All replicas have the same.
    pub issuer: String,
    /// The console's address, without a slash at the end: the provider sends browsers back there.
    pub public_url: Option<String>,
    /// The OAuth app at the identity provider; none: people sign in with one-time links only.
    pub oauth: Option<OAuthConfig>,
    /// How long an access token is valid: 15 minutes at most.
    pub access_token_ttl: Duration,
    /// How long a key signs before the next one is created.
    pub signing_key_ttl: Duration,
}

/// An OAuth app at GitHub, or at a GitHub Enterprise Server.
#[derive(Clone, Debug)]
pub struct OAuthConfig {
    /// The address where people sign in: `https://github.com`.
    pub url: String,
    /// The address of the API: `https://api.github.com`.
    pub api_url: String,
    /// The app's public id.
    pub client_id: String,
    /// The app's secret.
    pub client_secret: SecretString,
}

impl SignInConfig {
    /// Sessions and one-time links, without an identity provider.
    #[must_use]
    pub fn new(key_ring: KeyRing) -> Self {
        Self {
            key_ring,
            issuer: DEFAULT_ISSUER.to_owned(),
            public_url: None,
            oauth: None,
            access_token_ttl: MAX_ACCESS_TOKEN_TTL,
            signing_key_ttl: DEFAULT_SIGNING_KEY_TTL,
        }
    }
}
