//! The identity provider: GitHub's OAuth endpoints (web flow with PKCE, device flow of RFC 8628) and the two pages of its API that
//! say who somebody is. What a token of theirs is used for ends here: nobody else sees it, and it is kept nowhere.
mod answers;

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Url, header, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use self::answers::{DeviceAnswer, EmailAnswer, TokenAnswer, UserAnswer};
use crate::{
    config::ProviderConfig,
    domain::{Email, Identity},
    error::SignInError,
};

/// What we ask for: to know who they are and which addresses they have.
const SCOPES: &str = "read:user user:email";
/// How long one answer may take: a person waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// And a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const LONGEST: usize = 1024 * 1024;
/// RFC 8628: the interval where none is given, in seconds.
const POLL_EVERY: u64 = 5;

/// The provider.
#[derive(Debug)]
pub(crate) struct Provider {
    http: Client,
    config: ProviderConfig,
    /// Where browsers are sent back to.
    redirect_uri: String,
}

/// A sign-in on a device, as the provider began it.
pub(crate) struct DeviceStart {
    pub device_code: SecretString,
    pub user_code: String,
    pub verification_url: String,
    pub life: Duration,
    pub poll_every: Duration,
}

/// How far a person is with it.
pub(crate) enum DevicePoll {
    Pending,
    /// Seconds that the provider wants between two questions.
    SlowDown(i32),
    Confirmed(SecretString),
}

impl Provider {
    /// For an OAuth app; browsers come back below `public_url`.
    ///
    /// # Errors
    /// In words, if the settings are of no use.
    pub fn new(mut config: ProviderConfig, public_url: &str) -> Result<Self, String> {
        for (name, url) in [
            ("the provider's URL", &mut config.url),
            ("its API's URL", &mut config.api_url),
        ] {
            url.truncate(url.trim_end_matches('/').len());
            Url::parse(url).map_err(|error| format!("{name} {url:?}: {error}"))?;
        }
        let http = Client::builder()
            .user_agent(concat!("ck8s/", env!("CARGO_PKG_VERSION")))
            .timeout(PATIENCE)
            .connect_timeout(CONNECT)
            // Our secret goes where it was meant to, and nowhere that an answer names.
            .redirect(Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            http,
            redirect_uri: format!("{public_url}/auth/github/callback"),
            config,
        })
    }

    /// The page where a person signs in.
    pub fn authorize_url(&self, state: &str, challenge: &str) -> Result<String, SignInError> {
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

    /// A token for the code that a browser came back with.
    pub async fn exchange(&self, code: &str, verifier: &str) -> Result<SecretString, SignInError> {
        let form = [
            ("client_id", self.config.client_id.as_str()),
            ("client_secret", self.config.client_secret.expose_secret()),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", verifier),
            ("grant_type", "authorization_code"),
        ];
        let answer: TokenAnswer = self.form("/login/oauth/access_token", &form).await?;
        match answer.token() {
            Ok(token) => Ok(token),
            Err("bad_verification_code" | "invalid_grant") => Err(SignInError::CodeRefused),
            Err(error) => Err(SignInError::Misconfigured(short(error))),
        }
    }

    /// Begins a sign-in on a device.
    pub async fn start_device(&self) -> Result<DeviceStart, SignInError> {
        let form = [
            ("client_id", self.config.client_id.as_str()),
            ("scope", SCOPES),
        ];
        let answer: DeviceAnswer = self.form("/login/device/code", &form).await?;
        match answer {
            DeviceAnswer::Started(started) => Ok(DeviceStart {
                device_code: started.device_code.into(),
                user_code: started.user_code,
                verification_url: started.verification_uri,
                life: Duration::from_secs(started.expires_in.min(3600)),
                poll_every: Duration::from_secs(
                    started.interval.unwrap_or(POLL_EVERY).clamp(1, 60),
                ),
            }),
            DeviceAnswer::Refused { error } => Err(SignInError::Misconfigured(short(&error))),
        }
    }

    /// Asks whether the person has confirmed it.
    pub async fn poll_device(&self, device_code: &SecretString) -> Result<DevicePoll, SignInError> {
        let form = [
            ("client_id", self.config.client_id.as_str()),
            ("device_code", device_code.expose_secret()),
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ];
        let answer: TokenAnswer = self.form("/login/oauth/access_token", &form).await?;
        match answer.token() {
            Ok(token) => Ok(DevicePoll::Confirmed(token)),
            Err("authorization_pending") => Ok(DevicePoll::Pending),
            Err("slow_down") => Ok(DevicePoll::SlowDown(
                answer.interval.unwrap_or(0).clamp(0, 60),
            )),
            Err("access_denied") => Err(SignInError::AccessDenied),
            Err("expired_token" | "incorrect_device_code" | "bad_verification_code") => {
                Err(SignInError::DeviceCodeRefused)
            }
            Err(error) => Err(SignInError::Misconfigured(short(error))),
        }
    }

    /// Whose a token is.
    pub async fn identity(&self, token: &SecretString) -> Result<Identity, SignInError> {
        let (user, emails) = tokio::try_join!(
            self.get::<UserAnswer>("/user", token),
            self.get::<Vec<EmailAnswer>>("/user/emails?per_page=100", token),
        )?;
        let email = |answer: EmailAnswer| Email {
            address: answer.email,
            verified: answer.verified,
            primary: answer.primary,
        };
        Ok(Identity {
            id: user.id.to_string(),
            login: user.login.chars().take(200).collect(),
            emails: emails.into_iter().map(email).collect(),
        })
    }

    async fn form<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, &str)],
    ) -> Result<T, SignInError> {
        let url = format!("{}{path}", self.config.url);
        let request = self.http.post(url).form(form);
        ask(path, request.header(header::ACCEPT, "application/json")).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        token: &SecretString,
    ) -> Result<T, SignInError> {
        let url = format!("{}{path}", self.config.api_url);
        let request = self.http.get(url).bearer_auth(token.expose_secret());
        ask(
            path,
            request.header(header::ACCEPT, "application/vnd.github+json"),
        )
        .await
    }
}

/// Asks, and reads the answer. What it says is never logged: it can hold a token.
async fn ask<T: DeserializeOwned>(path: &str, request: RequestBuilder) -> Result<T, SignInError> {
    let away = |what: String| SignInError::ProviderAway(format!("{path}: {what}"));
    let broken = |error: reqwest::Error| away(error.without_url().to_string());
    let mut response = request.send().await.map_err(broken)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(broken)? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST {
            return Err(away("the answer is too long".to_owned()));
        }
    }
    // Errors of OAuth come with 200 from GitHub, with 400 from others.
    let client_error = status.is_client_error() && status != 429;
    if !status.is_success() && !client_error {
        return Err(away(format!("status {status}")));
    }
    serde_json::from_slice(&body).map_err(|error| {
        away(format!(
            "status {status}, not understood at {}:{}",
            error.line(),
            error.column()
        ))
    })
}

/// An error's name, as the provider gives it: short, and of plain characters.
fn short(error: &str) -> String {
    let plain = error
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_');
    plain.take(60).collect()
}
