//! Access tokens: what stands in them, how they are signed, and which are believed.
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ck8s_types::{SessionId, UserId};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::config::LONGEST_ACCESS;

/// For whom access tokens are.
const AUDIENCE: &str = "ck8s";
/// No access token of ours is longer; a longer text is not worth parsing.
const LONGEST: usize = 4_096;
/// What jsonwebtoken must find; the times it leaves to us.
const NEEDED: [&str; 3] = ["iss", "aud", "sub"];

/// What stands in an access token. Times are seconds since 1970, by the database's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub sid: SessionId,
    pub jti: Uuid,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
}

/// A public key.
pub(crate) type PublicKey = [u8; 32];

/// A fresh private key, in PKCS #8, and its public key.
pub(crate) fn generate() -> Option<(SecretSlice<u8>, PublicKey)> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?;
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).ok()?;
    let public = pair.public_key().as_ref().try_into().ok()?;
    Some((document.as_ref().to_vec().into(), public))
}

/// A private key that signs.
pub(crate) struct SigningKey {
    pub id: Uuid,
    /// PKCS #8.
    pub private: SecretSlice<u8>,
}

impl SigningKey {
    /// An access token; none if the key is of no use.
    pub fn sign(&self, claims: &Claims) -> Option<SecretString> {
        let header = Header {
            kid: Some(self.id.to_string()),
            ..Header::new(Algorithm::EdDSA)
        };
        let key = EncodingKey::from_ed_der(self.private.expose_secret());
        encode(&header, claims, &key).ok().map(SecretString::from)
    }
}

impl Claims {
    /// Of a session, from `now` on for so many seconds.
    pub fn new(issuer: &str, user: UserId, session: SessionId, now: i64, life: i64) -> Self {
        Self {
            iss: issuer.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            jti: Uuid::now_v7(),
            iat: now,
            nbf: now,
            exp: now + life,
        }
    }

    /// Whether they count at a moment. A life that we give no token was given by somebody else.
    pub fn good_at(&self, now: i64) -> bool {
        let longest = i64::try_from(LONGEST_ACCESS.as_secs()).unwrap_or(0);
        let lives = self.exp.checked_sub(self.iat);
        self.nbf <= now && now < self.exp && lives.is_some_and(|life| life <= longest)
    }
}

/// The key that a token names, if it could be one of ours.
pub(crate) fn key_of(token: &str) -> Option<Uuid> {
    if token.len() > LONGEST {
        return None;
    }
    let header = decode_header(token).ok()?;
    if header.alg != Algorithm::EdDSA {
        return None;
    }
    header.kid?.parse().ok()
}

/// What a token says, if this key signed it for us. Whether it is its time is still to be asked: [`Claims::good_at`].
pub(crate) fn verified(token: &str, key: &PublicKey, issuer: &str) -> Option<Claims> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&NEEDED);
    let key = DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(key)).ok()?;
    let token = decode::<Claims>(token, &key, &validation).ok()?;
    Some(token.claims)
}

/// The public keys as a JWKS (RFC 7517, RFC 8037).
pub(crate) fn jwks(keys: &[(Uuid, PublicKey)]) -> String {
    let key = |(id, public): &(Uuid, PublicKey)| {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "use": "sig",
            "kid": id,
            "x": URL_SAFE_NO_PAD.encode(public),
        })
    };
    json!({ "keys": keys.iter().map(key).collect::<Vec<_>>() }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_believed_from_its_key_and_issuer_and_in_its_time() {
        let (private, public) = generate().unwrap();
        let key = SigningKey {
            id: Uuid::now_v7(),
            private,
        };
        let claims = Claims::new("us", UserId::new(), SessionId::new(), 1_000, 900);
        let token = key.sign(&claims).unwrap();
        let token = token.expose_secret();
        assert_eq!(key_of(token), Some(key.id));
        assert_eq!(verified(token, &public, "us"), Some(claims.clone()));
        assert_eq!(verified(token, &public, "them"), None);
        let (_, other) = generate().unwrap();
        assert_eq!(verified(token, &other, "us"), None);
        assert!(claims.good_at(1_000) && claims.good_at(1_899));
        assert!(!claims.good_at(999) && !claims.good_at(1_900));
        let long = Claims {
            exp: 1_901,
            ..claims
        };
        assert!(!long.good_at(1_500));
        assert_eq!(key_of(&"x".repeat(5_000)), None);
    }
}
