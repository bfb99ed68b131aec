//! Random secrets and what is stored of them.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The SHA-256 of a secret. A secret is random enough that nothing slower is needed, and finding a row by it leaks nothing through time.
pub(crate) type Hash = [u8; 32];

/// What is stored of a secret.
pub(crate) fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

/// A fresh secret. Its `Debug` does not show it.
#[derive(Debug)]
pub(crate) struct Secret(SecretString);

impl Secret {
    /// 32 random bytes in base64url behind a prefix that says what it is for.
    pub fn new(prefix: &str) -> Self {
        let bytes: [u8; 32] = rand::random();
        Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)).into())
    }

    /// One that exists already.
    pub fn of(text: &str) -> Self {
        Self(text.into())
    }

    /// What is stored of it.
    pub fn hash(&self) -> Hash {
        hash(self.0.expose_secret())
    }

    /// The secret itself, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_random_and_does_not_show_itself() {
        let (one, other) = (Secret::new("ck8s_adm_"), Secret::new("ck8s_adm_"));
        assert_eq!(one.expose().len(), "ck8s_adm_".len() + 43);
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.hash(), hash(one.expose()));
        assert!(!format!("{one:?}").contains(one.expose()));
    }
}
