//! Secrets at rest: XChaCha20-Poly1305 under a ring of keys with ids. The first key seals, all open; a random nonce of 24 bytes
//! stands in front; the associated data names the row, so that a sealed value opens in its own row only. Which rows there are,
//! each service says of its own.
#![cfg_attr(test, allow(clippy::unwrap_used))]
use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand::Rng;
use secrecy::{ExposeSecret, SecretBox, SecretSlice, SecretString};
use thiserror::Error;

/// Bytes of the nonce: long enough to be random without a count.
const NONCE: usize = 24;

/// A sealed value as it lies in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The key that opens it.
    pub key_id: String,
    /// The nonce, then the ciphertext with its tag.
    pub bytes: Vec<u8>,
}

/// Why a value does not open.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// The ring lacks its key.
    #[error("the key ring has no key {0:?}")]
    UnknownKey(String),
    /// It was changed, moved from another row, or sealed under another key of the same id.
    #[error("a sealed value does not open: changed, moved, or of another key")]
    Refused,
}

/// Why a value was not sealed.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("a value cannot be sealed")]
pub struct SealError;

/// Why a text is no key ring. It never shows the text.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("no key ring: {0} (it looks like id:base64key,id2:base64key, each key 32 bytes)")]
pub struct KeyRingError(String);

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
        let mut bytes = vec![0; NONCE];
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
            .split_at_checked(NONCE)
            .ok_or(OpenError::Refused)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| OpenError::Refused)?;
        let payload = Payload {
            msg,
            aad: associated,
        };
        let plain = key.cipher().decrypt(&nonce, payload);
        plain.map(SecretSlice::from).map_err(|_| OpenError::Refused)
    }
}

impl KeyRing {
    /// A value under the active key; none: it lies under it already.
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
}

impl RingKey {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.key.expose_secret()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(text: &str) -> KeyRing {
        KeyRing::from_text(text).expect("a key ring")
    }

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    #[test]
    fn what_is_sealed_opens_in_its_row_only() {
        let ring = ring(KeyRing::generate_text().expose_secret());
        let sealed = ring.seal(b"row 1", b"hush").expect("seals");
        let text = ring.open_text(b"row 1", &sealed).expect("opens");
        assert_eq!(text.expose_secret(), "hush");
        assert!(!sealed.bytes.windows(4).any(|w| w == b"hush"));
        for other in [&b"row 2"[..], b"row 11", b"row", b""] {
            assert_eq!(ring.open(other, &sealed).err(), Some(OpenError::Refused));
        }
        let bytes = ring.seal(b"row 1", &[0xff, 0]).expect("seals");
        assert_eq!(
            ring.open(b"row 1", &bytes).expect("opens").expose_secret(),
            [0xff, 0]
        );
        let no_text = ring.open_text(b"row 1", &bytes).err();
        assert_eq!(no_text, Some(OpenError::Refused));
    }

    #[test]
    fn nonces_differ_and_every_changed_byte_is_noticed() {
        let ring = ring(&format!("a:{}", key(1)));
        let row = b"row";
        let sealed = ring.seal(row, b"value").expect("seals");
        assert_ne!(sealed.bytes, ring.seal(row, b"value").expect("seals").bytes);
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert_eq!(
                ring.open(row, &changed).err(),
                Some(OpenError::Refused),
                "{at}"
            );
            changed.bytes.truncate(at);
            assert_eq!(
                ring.open(row, &changed).err(),
                Some(OpenError::Refused),
                "{at}"
            );
        }
    }

    #[test]
    fn a_rotated_ring_opens_the_old_and_seals_with_the_new() {
        let old = ring(&format!("old:{}", key(1)));
        let row = b"row";
        let sealed = old.seal(row, b"value").expect("seals");
        let both = ring(&format!("new:{}, old:{}", key(2), key(1)));
        assert_eq!(both.ids(), ["new", "old"]);
        assert!(both.open(row, &sealed).is_ok());
        let again = both.reseal(row, &sealed).expect("opens").expect("is new");
        assert_eq!(again.key_id, "new");
        assert_eq!(
            both.open_text(row, &again).unwrap().expose_secret(),
            "value"
        );
        assert_eq!(both.reseal(row, &again), Ok(None));
        let fresh = both.seal(row, b"value").expect("seals");
        assert_eq!(fresh.key_id, "new");
        assert_eq!(
            old.open(row, &fresh).err(),
            Some(OpenError::UnknownKey("new".into()))
        );
        let same_id = ring(&format!("old:{}", key(3)));
        assert_eq!(same_id.open(row, &sealed).err(), Some(OpenError::Refused));
    }

    #[test]
    fn odd_rings_are_refused_and_nothing_shows_a_key() {
        let short = format!("a:{}", STANDARD.encode([1; 31]));
        let twice = format!("a:{},a:{}", key(1), key(2));
        let good = key(7);
        for (text, says) in [
            ("", "key 1 has no id"),
            (good.as_str(), "key 1 has no id"),
            ("a b:x", "key 1 has an odd id"),
            ("a:???", "key 1 is not base64"),
            (short.as_str(), "key 1 is not 32 bytes"),
            (twice.as_str(), "key 2 has the id of another one"),
        ] {
            let error = KeyRing::from_text(text).expect_err("refused").to_string();
            assert!(
                error.starts_with(&format!("no key ring: {says} (")),
                "{error}"
            );
            assert!(!error.contains(good.as_str()), "{error}");
        }
        assert_eq!(
            format!("{:?}", ring(&format!("a:{good}"))),
            r#"KeyRing(["a"])"#
        );
    }
}
