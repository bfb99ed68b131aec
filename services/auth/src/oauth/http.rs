//! HTTP requests to the provider, with bounded time and bounded bodies. What a response says is never logged: it can
//! hold a token.
use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode, redirect::Policy};
use serde::de::DeserializeOwned;

use crate::error::SignInError;

/// How long one request may take: a person waits for it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest body that is read: a hundred addresses are a few kilobytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Builds the client. It follows no redirects, so that our secret goes nowhere but to the configured address.
pub(super) fn client() -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("ck8s/", env!("CARGO_PKG_VERSION")))
        .timeout(REQUEST_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .build()
}

/// Sends a request and decodes the response. OAuth errors are decoded too: GitHub sends them with status 200, other
/// servers with 400.
pub(super) async fn send<T: DeserializeOwned>(
    path: &str,
    request: RequestBuilder,
) -> Result<T, SignInError> {
    let unavailable = |what: String| SignInError::ProviderUnavailable(format!("{path}: {what}"));
    let failed = |error: reqwest::Error| unavailable(error.without_url().to_string());
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY_BYTES {
            return Err(unavailable("the answer is too long".to_owned()));
        }
    }
    let client_error = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS;
    if !status.is_success() && !client_error {
        return Err(unavailable(format!("status {status}")));
    }
    serde_json::from_slice(&body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        unavailable(format!(
            "status {status}, cannot be decoded at {line}:{column}"
        ))
    })
}
