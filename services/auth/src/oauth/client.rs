//! The client of an OAuth app at GitHub.
use std::time::Duration;

use reqwest::{Client, Url, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::{
    http::{self, ProviderResponse},
    responses::{DeviceResponse, EmailResponse, TokenResponse, UserResponse},
};
use crate::{
    config::OAuthConfig,
    domain::{Email, Identity},
    error::SignInError,
};

/// Where codes are exchanged for access tokens.
const TOKEN_PATH: &str = "/login/oauth/access_token";
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
/// The most pages of addresses that are read, of a hundred each.
const MAX_EMAIL_PAGES: u32 = 10;
/// What is asked for, as people read it.
const TOKEN: &str = "an access token";
const DEVICE: &str = "a device code";
const ACCOUNT: &str = "the account";
const ADDRESSES: &str = "the account's addresses";

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
        let answer: ProviderResponse<TokenResponse> =
            self.post_form(TOKEN, TOKEN_PATH, &form).await?;
        match answer.value.token() {
            Ok(token) => Ok(token),
            // The request before was not answered, and may have spent the code.
            Err("bad_verification_code" | "invalid_grant") if answer.is_repeated => {
                let why = "the code was spent without an answer";
                Err(SignInError::ProviderUnavailable(why.to_owned()))
            }
            Err("bad_verification_code" | "invalid_grant") => Err(SignInError::CodeRefused),
            Err(error) => Err(refusal(error)),
        }
    }

    /// Starts a sign-in on a device.
    pub(crate) async fn start_device(&self) -> Result<DeviceAuthorization, SignInError> {
        let form = [
            ("client_id", self.config.client_id.as_str()),
            ("scope", SCOPES),
        ];
        let answer = self.post_form(DEVICE, "/login/device/code", &form).await?;
        match answer.value {
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
            DeviceResponse::Refused { error } => Err(refusal(&error)),
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
        let answer: ProviderResponse<TokenResponse> =
            self.post_form(TOKEN, TOKEN_PATH, &form).await?;
        match answer.value.token() {
            Ok(token) => Ok(DevicePollOutcome::Confirmed(token)),
            Err("authorization_pending") => Ok(DevicePollOutcome::Pending),
            Err("slow_down") => Ok(DevicePollOutcome::SlowDown {
                interval_seconds: answer.value.interval.unwrap_or(0).clamp(0, 60),
            }),
            // The request before was not answered, and may have spent the code.
            Err("incorrect_device_code" | "bad_verification_code") if answer.is_repeated => {
                Err(SignInError::Interrupted("did not answer"))
            }
            Err("expired_token" | "incorrect_device_code" | "bad_verification_code") => {
                Err(SignInError::DeviceCodeRefused)
            }
            Err(error) => Err(refusal(error)),
        }
    }

    /// Returns the account that an access token belongs to, with its addresses.
    pub(crate) async fn identity(&self, token: &SecretString) -> Result<Identity, SignInError> {
        let (user, emails) = tokio::try_join!(
            self.get::<UserResponse>(ACCOUNT, "/user", token),
            self.emails(token),
        )?;
        let user = user.value;
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

    /// Returns all addresses of the account.
    async fn emails(&self, token: &SecretString) -> Result<Vec<EmailResponse>, SignInError> {
        let mut emails = Vec::new();
        for page in 1..=MAX_EMAIL_PAGES {
            let path = format!("/user/emails?per_page=100&page={page}");
            let answer = self.get::<Vec<EmailResponse>>(ADDRESSES, &path, token);
            let answer = answer.await?;
            emails.extend(answer.value);
            if !answer.has_next_page {
                return Ok(emails);
            }
        }
        tracing::warn!(
            read = emails.len(),
            "an account has more addresses than are read"
        );
        Ok(emails)
    }

    async fn post_form<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<ProviderResponse<T>, SignInError> {
        let url = format!("{}{path}", self.config.url);
        let request = self.http.post(url).form(form);
        http::send(what, request.header(header::ACCEPT, "application/json")).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
        token: &SecretString,
    ) -> Result<ProviderResponse<T>, SignInError> {
        let url = format!("{}{path}", self.config.api_url);
        let request = self.http.get(url).bearer_auth(token.expose_secret());
        let request = request.header(header::ACCEPT, "application/vnd.github+json");
        http::send(what, request).await
    }
}

/// Returns what an OAuth error means: the person's decision, a failure of the provider, or a refusal of this server.
/// Its name is shown shortened and without special characters.
pub(crate) fn refusal(error: &str) -> SignInError {
    match error {
        "access_denied" => SignInError::AccessDenied,
        "unverified_user_email" => SignInError::AddressNotVerified,
        "server_error" | "temporarily_unavailable" => {
            SignInError::ProviderUnavailable(error.to_owned())
        }
        _ => {
            let plain = error
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '_');
            SignInError::Misconfigured(plain.take(MAX_ERROR_CHARS).collect())
        }
    }
}
