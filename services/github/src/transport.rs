//! HTTP requests by octocrab: no retries, no throttle. An error holds no address and no secret.
use std::{error::Error, io};

use bytes::Bytes;
use ck8s_provider::ProviderError;
use http::{
    HeaderValue, Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH, LOCATION},
};
use http_body_util::{BodyExt, Limited};
use octocrab::{OctoBody, Octocrab};
use secrecy::{ExposeSecret, SecretString};

use crate::{request::Request, response::Response};

/// The version of GitHub's API that this crate uses.
const API_VERSION: &str = "2022-11-28";
/// The longest body that is read: a file has at most a megabyte, a page a hundred entries.
const MAX_BODY_BYTES: usize = 16 << 20;
/// How many redirects are followed: a renamed repository leads to its new address.
const MAX_REDIRECTS: usize = 3;

/// The connection to GitHub's API.
pub(crate) struct Transport {
    octocrab: Octocrab,
    /// The API's address, without a slash at the end.
    base: String,
}

impl Transport {
    pub(crate) fn new(api_url: &str) -> Result<Self, ProviderError> {
        let base = api_url.trim_end_matches('/').to_owned();
        let invalid =
            || ProviderError::Invalid("the address of GitHub's API is not a URL".to_owned());
        let uri: http::Uri = base.parse().map_err(|_| invalid())?;
        if uri.scheme().is_none() || uri.authority().is_none() {
            return Err(invalid());
        }
        let octocrab = Octocrab::builder()
            .base_uri(base.clone())
            .map_err(|_| invalid())?
            .build()
            .map_err(|_| unavailable("this machine has no certificate authorities"))?;
        Ok(Self { octocrab, base })
    }

    /// Sends a request once and follows redirects.
    pub(crate) async fn send(
        &self,
        request: &Request<'_>,
        token: &SecretString,
    ) -> Result<Response, ProviderError> {
        let mut path = request.path.clone();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.exchange(request, &path, token).await?;
            match self.redirect(&response) {
                Some(target) => path = target,
                None => return Ok(response),
            }
        }
        Err(unavailable("it redirects too often"))
    }

    async fn exchange(
        &self,
        request: &Request<'_>,
        path: &str,
        token: &SecretString,
    ) -> Result<Response, ProviderError> {
        let response = self
            .octocrab
            .send(http_request(request, path, token)?)
            .await;
        let response = response.map_err(|error| unavailable(io_cause(&error)))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|_| unavailable("its answer broke off"))?;
        let mut body = body.to_bytes();
        if !head.status.is_success() {
            let secrets = [Some(token.expose_secret()), request.secret];
            for secret in secrets.into_iter().flatten() {
                body = redacted(body, secret);
            }
        }
        tracing::debug!(
            method = %request.method,
            action = request.operation.action,
            status = head.status.as_u16(),
            "GitHub responded"
        );
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body,
            operation: request.operation,
        })
    }

    /// Returns the path that a response redirects to, if it is one of the API's.
    fn redirect(&self, response: &Response) -> Option<String> {
        let redirects = [
            StatusCode::MOVED_PERMANENTLY,
            StatusCode::FOUND,
            StatusCode::TEMPORARY_REDIRECT,
            StatusCode::PERMANENT_REDIRECT,
        ];
        if !redirects.contains(&response.status) {
            return None;
        }
        self.path_of(response.header(LOCATION.as_str()))
    }

    /// Returns the path of an address below the API's; none for any other address.
    pub(crate) fn path_of(&self, address: &str) -> Option<String> {
        let path = address.strip_prefix(&self.base)?;
        path.starts_with('/').then(|| path.to_owned())
    }
}

fn http_request(
    request: &Request<'_>,
    path: &str,
    token: &SecretString,
) -> Result<http::Request<OctoBody>, ProviderError> {
    let invalid =
        |_| ProviderError::Invalid("the credential has characters that no token has".into());
    let mut authorization =
        HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(invalid)?;
    authorization.set_sensitive(true);
    let mut builder = http::Request::builder()
        .method(&request.method)
        .uri(path)
        .header(AUTHORIZATION, authorization)
        .header(ACCEPT, "application/vnd.github+json")
        .header("x-github-api-version", API_VERSION);
    if let Some(etag) = &request.etag {
        builder = builder.header(IF_NONE_MATCH, etag);
    }
    let body = match &request.body {
        Some(body) => {
            builder = builder.header(CONTENT_TYPE, "application/json");
            OctoBody::from(body.to_string())
        }
        None => OctoBody::empty(),
    };
    if request.body.is_none() && request.method != Method::GET {
        builder = builder.header(CONTENT_LENGTH, "0");
    }
    let invalid =
        |_| ProviderError::Invalid("the request has characters that no address has".into());
    builder.body(body).map_err(invalid)
}

/// Replaces a secret in a body.
fn redacted(body: Bytes, secret: &str) -> Bytes {
    let text = String::from_utf8_lossy(&body);
    if secret.is_empty() || !text.contains(secret) {
        return body;
    }
    Bytes::from(text.replace(secret, "***"))
}

/// Returns the cause of a failure in few words. The texts of the libraries' errors may hold addresses, so they are not
/// shown.
fn io_cause(error: &(dyn Error + 'static)) -> String {
    let mut next = Some(error);
    while let Some(this) = next {
        if let Some(io) = this.downcast_ref::<io::Error>() {
            return io.kind().to_string();
        }
        next = this.source();
    }
    "the connection failed".to_owned()
}

pub(crate) fn unavailable(why: impl Into<String>) -> ProviderError {
    ProviderError::Unavailable(why.into())
}
