//! The client of an OAuth app at GitHub.
use std::time::Duration;

use reqwest::{Client, Url, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::{
    http,
    responses::{DeviceResponse, EmailResponse, TokenResponse, UserResponse},
};
use crate::{
    config::OAuthConfig,
    domain::{Email, Identity},
    error::SignInError,
};

/// The scopes that we ask for: the account and its addresses.
const SCOPES: &str = "read:user user:email";
/// The polling interval of RFC 8628 where the provider gives none.
const DEFAULT_POLL_SECONDS: u64 = 5;
/// The longest polling interval that we take over from the provider.
const MAX_POLL_SECONDS: u64 = 60;
/// The longest life of a device code that we take over from the provider.
const MAX_DEVICE_CODE_TTL_SECONDS: u64 = 3600;
/// The longest login that is stored: GitHub's have 39 characters.
const MAX_LOGIN_CHARS: usize = 200;
/// How much of an error's name is shown.
const MAX_ERROR_CHARS: usize = 60;

/// The client of an OAuth app.
#[derive(Debug)]
pub(crate) struct OAuthClient {
    http: Client,
    config: OAuthConfig,
    /// Where the provider sends browsers back.
    redirect_uri: String,
}

/// A sign-in on a device, as the provider started it.
pub(crate) struct DeviceAuthorization {
    pub device_code: SecretString,
    pub user_code: String,
    pub verification_url: String,
    pub ttl: Duration,
    pub poll_interval: Duration,
}

/// The provider's answer to a poll for a device.
pub(crate) enum DevicePollOutcome {
    Pending,
    /// The provider wants fewer polls.
    SlowDown {
        interval_seconds: i32,
    },
    /// The person has confirmed. This is their access token.
    Confirmed(SecretString),
}

impl OAuthClient {
    /// Creates the client. The provider sends browsers back to a page below `public_url`.
    ///
    /// # Errors
    /// In words, if the settings are invalid.
    pub(crate) fn new(mut config: OAuthConfig, public_url: &str) -> Result<Self, String> {
        for (name, url) in [
            ("the provider's URL", &mut config.url),
            ("its API's URL", &mut config.api_url),
        ] {
            url.truncate(url.trim_end_matches('/').len());
            Url::parse(url).map_err(|error| format!("{name} {url:?}: {error}"))?;
        }
        Ok(Self {
            http: http::client().map_err(|error| error.to_string())?,
            redirect_uri: format!("{public_url}/auth/github/callback"),
            config,
        })
    }

    /// Returns the address of the page where a person signs in.
    pub(crate) fn authorize_url(
        &self,
        state: &str,
        challenge: &str,
    ) -> Result<String, SignInError> {
        let page = format!("{}/login/oauth/authorize", self.config.url);
        let query = [
            ("client_id", self.config.client_id.as_str()),
            ("redirect_uri", &self.redirect_uri),
            ("scope", SCOPES),
            ("state", state),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
            ("response_type", "code"),
        ];
        Url::parse_with_params(&page, query)
            .map(String::from)
            .map_err(|error| SignInError::Misconfigured(error.to_string()))
    }

    /// Exchanges the code that a browser came back with for an access token.
    pub(crate) async fn exchange_code(
        &self,
        code: &str,
        verifier: &SecretString,
    ) -> Result<SecretString, SignInError> {
        let form = [
            ("client_id", self.config.client_id.as_str()),
            ("client_secret", self.config.client_secret.expose_secret()),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", verifier.expose_secret()),
            ("grant_type", "authorization_code"),
        ];
        let response: TokenResponse = self.post_form("/login/oauth/access_token", &form).await?;
        match response.token() {
            Ok(token) => Ok(token),
            Err("bad_verification_code" | "invalid_grant") => Err(SignInError::CodeRefused),
            Err(error) => Err(SignInError::Misconfigured(error_name(error))),
        }
    }

    /// Starts a sign-in on a device.
    pub(crate) async fn start_device(&self) -> Result<DeviceAuthorization, SignInError> {
        let form = [
            ("client_id", self.config.client_id.as_str()),
            ("scope", SCOPES),
        ];
        let response: DeviceResponse = self.post_form("/login/device/code", &form).await?;
        match response {
            DeviceResponse::Started(started) => Ok(DeviceAuthorization {
                device_code: started.device_code.into(),
                user_code: started.user_code,
                verification_url: started.verification_uri,
                ttl: Duration::from_secs(started.expires_in.min(MAX_DEVICE_CODE_TTL_SECONDS)),
                poll_interval: Duration::from_secs(
                    started
                        .interval
                        .unwrap_or(DEFAULT_POLL_SECONDS)
                        .clamp(1, MAX_POLL_SECONDS),
                ),
            }),
            DeviceResponse::Refused { error } => {
                Err(SignInError::Misconfigured(error_name(&error)))
            }
        }
    }

    /// Asks whether the person has confirmed a sign-in on a device.
    pub(crate) async fn poll_device(
        &self,
        device_code: &SecretString,
    ) -> Result<DevicePollOutcome, SignInError> {
        let form = [
            ("client_id", self.config.client_id.as_str()),
            ("device_code", device_code.expose_secret()),
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ];
        let response: TokenResponse = self.post_form("/login/oauth/access_token", &form).await?;
        match response.token() {
            Ok(token) => Ok(DevicePollOutcome::Confirmed(token)),
            Err("authorization_pending") => Ok(DevicePollOutcome::Pending),
            Err("slow_down") => Ok(DevicePollOutcome::SlowDown {
                interval_seconds: response.interval.unwrap_or(0).clamp(0, 60),
            }),
            Err("access_denied") => Err(SignInError::AccessDenied),
            Err("expired_token" | "incorrect_device_code" | "bad_verification_code") => {
                Err(SignInError::DeviceCodeRefused)
            }
            Err(error) => Err(SignInError::Misconfigured(error_name(error))),
        }
    }

    /// Returns the account that an access token belongs to, with its addresses.
    pub(crate) async fn identity(&self, token: &SecretString) -> Result<Identity, SignInError> {
        let (user, emails) = tokio::try_join!(
            self.get::<UserResponse>("/user", token),
            self.get::<Vec<EmailResponse>>("/user/emails?per_page=100", token),
        )?;
        let email = |response: EmailResponse| Email {
            address: response.email,
            verified: response.verified,
            primary: response.primary,
        };
        Ok(Identity {
            id: user.id.to_string(),
            login: user.login.chars().take(MAX_LOGIN_CHARS).collect(),
            emails: emails.into_iter().map(email).collect(),
        })
    }

    async fn post_form<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<T, SignInError> {
        let url = format!("{}{path}", self.config.url);
        let request = self.http.post(url).form(form);
        http::send(path, request.header(header::ACCEPT, "application/json")).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        token: &SecretString,
    ) -> Result<T, SignInError> {
        let url = format!("{}{path}", self.config.api_url);
        let request = self.http.get(url).bearer_auth(token.expose_secret());
        let request = request.header(header::ACCEPT, "application/vnd.github+json");
        http::send(path, request).await
    }
}

/// Returns the name of an OAuth error, shortened and without special characters.
fn error_name(error: &str) -> String {
    let plain = error
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_');
    plain.take(MAX_ERROR_CHARS).collect()
}
