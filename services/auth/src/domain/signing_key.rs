//! The keys that sign access tokens, and their publication as a JWKS (RFC 7517, RFC 8037).
use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm,
    OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse,
};
use secrecy::SecretSlice;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of a signing key: `kid` in tokens and in the JWKS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SigningKeyId(pub Uuid);

impl SigningKeyId {
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for SigningKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An Ed25519 public key.
pub(crate) type PublicKey = [u8; 32];

/// A key that signs.
pub(crate) struct SigningKey {
    pub id: SigningKeyId,
    /// The private key, in PKCS #8.
    pub private: SecretSlice<u8>,
}

/// A new pair of keys.
pub(crate) struct NewKeyPair {
    /// The private key, in PKCS #8.
    pub private: SecretSlice<u8>,
    pub public: PublicKey,
}

impl NewKeyPair {
    /// Generates a pair; none if the system gives no random numbers.
    pub(crate) fn generate() -> Option<Self> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?;
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).ok()?;
        Some(Self {
            private: document.as_ref().to_vec().into(),
            public: pair.public_key().as_ref().try_into().ok()?,
        })
    }
}

/// Returns public keys as a JWKS.
pub(crate) fn jwks(keys: &[(SigningKeyId, PublicKey)]) -> JwkSet {
    JwkSet {
        keys: keys.iter().map(jwk).collect(),
    }
}

fn jwk((id, public): &(SigningKeyId, PublicKey)) -> Jwk {
    Jwk {
        common: CommonParameters {
            public_key_use: Some(PublicKeyUse::Signature),
            key_algorithm: Some(KeyAlgorithm::EdDSA),
            key_id: Some(id.to_string()),
            ..CommonParameters::default()
        },
        algorithm: AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
            key_type: OctetKeyPairType::OctetKeyPair,
            curve: EllipticCurve::Ed25519,
            x: URL_SAFE_NO_PAD.encode(public),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_public_key_is_published_with_its_id_curve_and_use() {
        let id = SigningKeyId::new();
        let published = serde_json::to_value(jwks(&[(id, [7; 32])])).unwrap();
        let expected = json!({ "keys": [{
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "use": "sig",
            "kid": id,
            "x": URL_SAFE_NO_PAD.encode([7; 32]),
        }] });
        assert_eq!(published, expected);
    }
}
