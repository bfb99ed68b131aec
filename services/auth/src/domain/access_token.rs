//! Access tokens: their claims, how they are signed and how they are verified.
use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ck8s_types::{SessionId, UserId};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::signing_key::{PublicKey, SigningKey, SigningKeyId};

/// The longest life of an access token: a shorter one costs more refreshes, a longer one outlives more changes of
/// rights.
pub(crate) const MAX_ACCESS_TOKEN_TTL: Duration = Duration::from_secs(15 * 60);
/// The audience of access tokens.
const AUDIENCE: &str = "ck8s";
/// No access token of ours is longer, so a longer text is not parsed.
const MAX_TOKEN_BYTES: usize = 4_096;
/// The claims that jsonwebtoken requires. This module checks the times itself, by the database's clock.
const REQUIRED_CLAIMS: [&str; 3] = ["iss", "aud", "sub"];

/// The id of an access token, by which it is told apart in answers and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct AccessTokenId(Uuid);

impl AccessTokenId {
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for AccessTokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The claims of an access token. Times are seconds since 1970, by the database's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub sid: SessionId,
    pub jti: AccessTokenId,
    pub iat: i64,
    pub nbf: i64,
    pub exp: i64,
}

impl SigningKey {
    /// Signs an access token; none if the key cannot be used.
    pub(crate) fn sign(&self, claims: &Claims) -> Option<SecretString> {
        let header = Header {
            kid: Some(self.id.to_string()),
            ..Header::new(Algorithm::EdDSA)
        };
        let key = EncodingKey::from_ed_der(self.private.expose_secret());
        encode(&header, claims, &key).ok().map(SecretString::from)
    }
}

impl Claims {
    /// Returns the claims of a session's next token, valid from `now` for `ttl` seconds.
    pub(crate) fn new(issuer: &str, user: UserId, session: SessionId, now: i64, ttl: i64) -> Self {
        Self {
            iss: issuer.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            jti: AccessTokenId::new(),
            iat: now,
            nbf: now,
            exp: now + ttl,
        }
    }

    /// Reports whether they are valid at a time. No token of ours lives longer than [`MAX_ACCESS_TOKEN_TTL`].
    pub(crate) fn is_valid_at(&self, now: i64) -> bool {
        let max_ttl = i64::try_from(MAX_ACCESS_TOKEN_TTL.as_secs()).unwrap_or(0);
        let ttl = self.exp.checked_sub(self.iat);
        self.nbf <= now && now < self.exp && ttl.is_some_and(|ttl| ttl <= max_ttl)
    }
}

/// Returns the id of the key that a token names; none if the token cannot be one of ours.
pub(crate) fn signing_key_id(token: &str) -> Option<SigningKeyId> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let header = decode_header(token).ok()?;
    if header.alg != Algorithm::EdDSA {
        return None;
    }
    header.kid?.parse().ok().map(SigningKeyId)
}

/// Returns a token's claims, if this key signed it for this issuer. It does not check the times:
/// [`Claims::is_valid_at`] does.
pub(crate) fn verify(token: &str, key: &PublicKey, issuer: &str) -> Option<Claims> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&REQUIRED_CLAIMS);
    let key = DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(key)).ok()?;
    let token = decode::<Claims>(token, &key, &validation).ok()?;
    Some(token.claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{NewKeyPair, SigningKeyId};

    #[test]
    fn a_token_is_valid_with_its_key_and_issuer_and_in_its_time() {
        let NewKeyPair { private, public } = NewKeyPair::generate().unwrap();
        let key = SigningKey {
            id: SigningKeyId::new(),
            private,
        };
        let claims = Claims::new("us", UserId::new(), SessionId::new(), 1_000, 900);
        let token = key.sign(&claims).unwrap();
        let token = token.expose_secret();
        assert_eq!(signing_key_id(token), Some(key.id));
        assert_eq!(verify(token, &public, "us"), Some(claims.clone()));
        assert_eq!(verify(token, &public, "them"), None);
        let other = NewKeyPair::generate().unwrap();
        assert_eq!(verify(token, &other.public, "us"), None);
        assert!(claims.is_valid_at(1_000) && claims.is_valid_at(1_899));
        assert!(!claims.is_valid_at(999) && !claims.is_valid_at(1_900));
        let long = Claims {
            exp: 1_901,
            ..claims
        };
        assert!(!long.is_valid_at(1_500));
        assert_eq!(signing_key_id(&"x".repeat(5_000)), None);
    }
}
