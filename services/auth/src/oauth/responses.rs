//! The responses of the provider's endpoints, as far as this service reads them.
use secrecy::SecretString;
use serde::Deserialize;

/// The response of `/login/oauth/access_token`: a token, or an error.
#[derive(Deserialize)]
pub(super) struct TokenResponse {
    access_token: Option<SecretText>,
    error: Option<String>,
    pub interval: Option<i32>,
}

impl TokenResponse {
    /// Returns the token, or the error's name.
    pub(crate) fn token(&self) -> Result<SecretString, &str> {
        match (&self.access_token, &self.error) {
            (Some(token), None) => Ok(token.0.as_str().into()),
            (_, Some(error)) => Err(error),
            (None, None) => Err("no_token"),
        }
    }
}

/// A text without a debug form.
#[derive(Deserialize)]
#[serde(transparent)]
struct SecretText(String);

/// The response of `/login/device/code`.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum DeviceResponse {
    Started(StartedResponse),
    Refused { error: String },
}

/// A device sign-in that was started.
#[derive(Deserialize)]
pub(super) struct StartedResponse {
    pub device_code: String,
    pub user_code: String,
    pub verification_uri: String,
    pub expires_in: u64,
    pub interval: Option<u64>,
}

/// The response of `/user`.
#[derive(Deserialize)]
pub(super) struct UserResponse {
    pub id: u64,
    pub login: String,
}

/// An entry of the response of `/user/emails`.
#[derive(Deserialize)]
pub(super) struct EmailResponse {
    pub email: String,
    pub verified: bool,
    #[serde(default)]
    pub primary: bool,
}
