//! Why the service does not start.
use ck8s_pki::PkiError;
use thiserror::Error;

use super::auth::AuthError;

/// Why the service does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The certificate authority cannot be used.
    #[error("the certificate authority: {0}")]
    Authority(#[source] PkiError),
    /// The settings of sign-in are invalid, for this reason.
    #[error("sign-in: {0}")]
    SignIn(String),
    /// The key ring does not open the key that signs access tokens.
    #[error("the key ring does not open the signing key")]
    KeyRing(#[source] AuthError),
    /// The first platform admin cannot be created.
    #[error("the first platform admin")]
    FirstAdmin(#[source] AuthError),
}
