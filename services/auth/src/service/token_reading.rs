//! What this service makes of a text that claims to be an access token, without a database: the entrance for whoever
//! wants to see what bytes from outside are taken for, above all the fuzzers (tests/fuzz).
use crate::domain::{self, PublicKey};

/// An access token as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessTokenReading {
    /// The id of the key that it names.
    pub key_id: String,
    /// Whom it is for; none: the key did not sign it, or not for this issuer.
    pub subject: Option<String>,
}

/// Reads an access token as the service does, with the key that it is checked against. Times are not checked. None: it
/// cannot be one of ours.
#[must_use]
pub fn read_access_token(
    token: &str,
    public_key: &[u8],
    issuer: &str,
) -> Option<AccessTokenReading> {
    let key_id = domain::signing_key_id(token)?;
    let key: PublicKey = public_key.to_vec().try_into().ok()?;
    let claims = domain::verify(token, &key, issuer);
    Some(AccessTokenReading {
        key_id: key_id.to_string(),
        subject: claims.map(|claims| claims.sub.to_string()),
    })
}
