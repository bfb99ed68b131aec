//! What the provider's endpoints answer, as far as it matters.
use secrecy::SecretString;
use serde::Deserialize;

/// Of `/login/oauth/access_token`: a token, or an error.
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    access_token: Option<SecretText>,
    error: Option<String>,
    pub interval: Option<i32>,
}

impl TokenAnswer {
    /// The token, or the error's name.
    pub fn token(&self) -> Result<SecretString, &str> {
        match (&self.access_token, &self.error) {
            (Some(token), None) => Ok(token.0.as_str().into()),
            (_, Some(error)) => Err(error),
            (None, None) => Err("no_token"),
        }
    }
}

/// A text that has no `Debug`.
#[derive(Deserialize)]
#[serde(transparent)]
struct SecretText(String);

/// Of `/login/device/code`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum DeviceAnswer {
    Started(Started),
    Refused { error: String },
}

/// A device sign-in that has begun.
#[derive(Deserialize)]
pub(super) struct Started {
    pub device_code: String,
    pub user_code: String,
    pub verification_uri: String,
    pub expires_in: u64,
    pub interval: Option<u64>,
}

/// Of `/user`.
#[derive(Deserialize)]
pub(super) struct UserAnswer {
    pub id: u64,
    pub login: String,
}

/// Of `/user/emails`.
#[derive(Deserialize)]
pub(super) struct EmailAnswer {
    pub email: String,
    pub verified: bool,
    #[serde(default)]
    pub primary: bool,
}
