//! The ring of keys: reading it, sealing, opening and sealing again.
use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hmac::{Hmac, Mac};
use rand::Rng;
use secrecy::{ExposeSecret, SecretBox, SecretSlice, SecretString};
use sha2::Sha256;

use crate::{KeyRingError, OpenError, SealError};

/// Random bytes before the ciphertext: long enough that two random nonces never meet, without a count.
const NONCE_BYTES: usize = 24;
/// Derives the key of authentication codes from a key of the ring, so that no key serves two algorithms.
const CODE_KEY_LABEL: &[u8] = b"ck8s authentication code v1";

/// A sealed value as it lies in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The key that opens it.
    pub key_id: String,
    /// The nonce, then the ciphertext with its tag.
    pub bytes: Vec<u8>,
}

/// Codes that recognise a value again, one for each key of the ring.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthenticationCodes {
    /// Under the active key: the one to store.
    pub current: [u8; 32],
    /// Under the other keys: what was stored before a rotation.
    pub former: Vec<[u8; 32]>,
}

struct RingKey {
    id: String,
    key: SecretBox<[u8; 32]>,
}

/// Keys by id; the first is active. Its debug form shows ids only.
pub struct KeyRing(Vec<RingKey>);

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRing").field(&self.ids()).finish()
    }
}

impl KeyRing {
    /// Reads `id:base64key,id2:base64key`; the first key is active.
    ///
    /// # Errors
    /// [`KeyRingError`] says which part is wrong, by its place.
    pub fn from_text(text: &str) -> Result<Self, KeyRingError> {
        let mut keys: Vec<RingKey> = Vec::new();
        for (place, part) in text.trim().split(',').enumerate() {
            let place = place + 1;
            let wrong = |what: &str| KeyRingError(format!("key {place} {what}"));
            let (id, encoded) = part
                .trim()
                .split_once(':')
                .ok_or_else(|| wrong("has no id"))?;
            let fits = (1..=40).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
            if !fits {
                return Err(wrong("has an odd id"));
            }
            if keys.iter().any(|k| k.id == id) {
                return Err(wrong("has the id of another one"));
            }
            let bytes: SecretBox<Vec<u8>> = SecretBox::new(Box::new(
                STANDARD
                    .decode(encoded)
                    .map_err(|_| wrong("is not base64"))?,
            ));
            let key = <[u8; 32]>::try_from(bytes.expose_secret().as_slice())
                .map_err(|_| wrong("is not 32 bytes"))?;
            keys.push(RingKey {
                id: id.to_owned(),
                key: SecretBox::new(Box::new(key)),
            });
        }
        Ok(Self(keys))
    }

    /// The text of a fresh ring with one random key.
    #[must_use]
    pub fn generate_text() -> SecretString {
        let (mut id, mut key) = ([0; 4], [0; 32]);
        let mut random = rand::rng();
        random.fill_bytes(&mut id);
        random.fill_bytes(&mut key);
        format!("k{}:{}", hex::encode(id), STANDARD.encode(key)).into()
    }

    /// The ids of its keys, the active one first.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        self.0.iter().map(|k| k.id.as_str()).collect()
    }

    /// Seals a value for the row that `associated` names, under the active key.
    ///
    /// # Errors
    /// [`SealError`] for a value larger than the cipher takes (256 GiB).
    pub fn seal(&self, associated: &[u8], plain: &[u8]) -> Result<Sealed, SealError> {
        let active = self.0.first().ok_or(SealError)?;
        let mut bytes = vec![0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        let nonce = XNonce::try_from(bytes.as_slice()).map_err(|_| SealError)?;
        let payload = Payload {
            msg: plain,
            aad: associated,
        };
        let sealed = active.cipher().encrypt(&nonce, payload);
        bytes.extend(sealed.map_err(|_| SealError)?);
        Ok(Sealed {
            key_id: active.id.clone(),
            bytes,
        })
    }

    /// Opens a text that was sealed for the row that `associated` names.
    ///
    /// # Errors
    /// [`OpenError`]: no such key, or not what was sealed for this row, or no text.
    pub fn open_text(&self, associated: &[u8], sealed: &Sealed) -> Result<SecretString, OpenError> {
        let plain = self.open(associated, sealed)?;
        std::str::from_utf8(plain.expose_secret())
            .map(SecretString::from)
            .map_err(|_| OpenError::Refused)
    }

    /// Opens a value that was sealed for the row that `associated` names.
    ///
    /// # Errors
    /// [`OpenError`]: no such key, or not what was sealed for this row.
    pub fn open(&self, associated: &[u8], sealed: &Sealed) -> Result<SecretSlice<u8>, OpenError> {
        let key = self.0.iter().find(|k| k.id == sealed.key_id);
        let key = key.ok_or_else(|| OpenError::UnknownKey(sealed.key_id.clone()))?;
        let (nonce, msg) = sealed
            .bytes
            .split_at_checked(NONCE_BYTES)
            .ok_or(OpenError::Refused)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| OpenError::Refused)?;
        let payload = Payload {
            msg,
            aad: associated,
        };
        let plain = key.cipher().decrypt(&nonce, payload);
        plain.map(SecretSlice::from).map_err(|_| OpenError::Refused)
    }

    /// Seals a value again under the active key. None: it lies under that key already.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn reseal(&self, associated: &[u8], sealed: &Sealed) -> Result<Option<Sealed>, OpenError> {
        if self.0.first().is_some_and(|key| key.id == sealed.key_id) {
            return Ok(None);
        }
        let plain = self.open(associated, sealed)?;
        let again = self.seal(associated, plain.expose_secret());
        again.map(Some).map_err(|_| OpenError::Refused)
    }

    /// Codes of a value for a purpose that `context` names. Who lacks the keys can neither make one nor try out values.
    ///
    /// # Errors
    /// [`SealError`]: the ring has no key.
    pub fn authentication_codes(
        &self,
        context: &[u8],
        value: &[u8],
    ) -> Result<AuthenticationCodes, SealError> {
        let (active, others) = self.0.split_first().ok_or(SealError)?;
        Ok(AuthenticationCodes {
            current: active.authentication_code(context, value),
            former: others
                .iter()
                .map(|key| key.authentication_code(context, value))
                .collect(),
        })
    }
}

impl RingKey {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.key.expose_secret()))
    }

    fn authentication_code(&self, context: &[u8], value: &[u8]) -> [u8; 32] {
        let key = hmac(self.key.expose_secret(), &[CODE_KEY_LABEL]);
        let length = (context.len() as u64).to_be_bytes();
        hmac(&key, &[&length, context, value])
    }
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests;
