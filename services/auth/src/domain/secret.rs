//! Random secrets, and the hashes that are stored of them.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The SHA-256 of a secret. Secrets are random, so no slower hash is needed, and a look-up by the hash leaks nothing
/// through its timing.
pub(crate) type Hash = [u8; 32];

/// Random bytes that make a secret's successor another one each time.
pub(crate) type Salt = [u8; 32];

/// Hashes a secret.
pub(crate) fn hash(secret: &str) -> Hash {
    Sha256::digest(secret).into()
}

/// A secret. Its debug form does not show it.
#[derive(Debug)]
pub(crate) struct Secret(SecretString);

impl Secret {
    /// Generates 32 random bytes in base64url, behind a prefix that tells what the secret is for.
    pub(crate) fn generate(prefix: &str) -> Self {
        let bytes: [u8; 32] = rand::random();
        Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)).into())
    }

    /// Returns the secret that follows another one. Only who has that one can make it again, and only with the salt; so
    /// the salt alone, which is stored, makes nothing.
    pub(crate) fn successor(prefix: &str, predecessor: &str, salt: &Salt) -> Option<Self> {
        let mut mac = Hmac::<Sha256>::new_from_slice(predecessor.as_bytes()).ok()?;
        mac.update(salt);
        let bytes = mac.finalize().into_bytes();
        Some(Self(
            format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)).into(),
        ))
    }

    /// Takes a secret that exists.
    pub(crate) fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the hash that is stored.
    pub(crate) fn hash(&self) -> Hash {
        hash(self.0.expose_secret())
    }

    /// Returns the secret, for the only answer that shows it.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_and_random_and_its_debug_form_hides_it() {
        let (one, other) = (Secret::generate("ck8s_adm_"), Secret::generate("ck8s_adm_"));
        assert_eq!(one.expose().len(), "ck8s_adm_".len() + 43);
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.hash(), hash(one.expose()));
        assert!(!format!("{one:?}").contains(one.expose()));
    }
}
