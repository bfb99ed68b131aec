//! Requests over the wire, by octocrab: no retries, no manners. What it says of a failure holds no address and no secret.
use std::{error::Error, io};

use bytes::Bytes;
use ck8s_provider::ProviderError;
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, LOCATION},
};
use http_body_util::{BodyExt, Limited};
use octocrab::{OctoBody, Octocrab};
use secrecy::{ExposeSecret, SecretString};

use crate::{answer::Answer, ask::Ask};

/// The version of GitHub's API that this crate speaks.
const VERSION: &str = "2022-11-28";
/// An answer is no longer than this, in bytes: a file has at most a megabyte, a page a hundred entries.
const LONGEST: usize = 16 << 20;
/// A renamed repository leads to its new address: so often at most.
const REDIRECTS: usize = 3;

/// The way to GitHub's API.
pub(crate) struct Transport {
    octocrab: Octocrab,
    /// The API's address, without a slash at the end.
    base: String,
}

impl Transport {
    pub(crate) fn new(api_url: &str) -> Result<Self, ProviderError> {
        let base = api_url.trim_end_matches('/').to_owned();
        let wrong = || ProviderError::Invalid("the address of GitHub's API is none".to_owned());
        let uri: http::Uri = base.parse().map_err(|_| wrong())?;
        if uri.scheme().is_none() || uri.authority().is_none() {
            return Err(wrong());
        }
        let octocrab = Octocrab::builder()
            .base_uri(base.clone())
            .map_err(|_| wrong())?
            .build()
            .map_err(|_| unavailable("this machine has no certificate authorities"))?;
        Ok(Self { octocrab, base })
    }

    /// Asks once.
    pub(crate) async fn send(
        &self,
        ask: &Ask<'_>,
        bearer: &SecretString,
    ) -> Result<Answer, ProviderError> {
        let mut path = ask.path.clone();
        for _ in 0..=REDIRECTS {
            let answer = self.once(ask, &path, bearer).await?;
            match self.moved(&answer) {
                Some(there) => path = there,
                None => return Ok(answer),
            }
        }
        Err(unavailable("it leads in circles"))
    }

    async fn once(
        &self,
        ask: &Ask<'_>,
        path: &str,
        bearer: &SecretString,
    ) -> Result<Answer, ProviderError> {
        let request = request(ask, path, bearer)?;
        let response = self.octocrab.send(request).await;
        let response = response.map_err(|error| unavailable(cause(&error)))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST).collect().await;
        let body = body.map_err(|_| unavailable("its answer broke off"))?;
        let mut body = body.to_bytes();
        if !head.status.is_success() {
            body = without(&body, bearer.expose_secret());
            body = ask
                .secret
                .map_or(body.clone(), |secret| without(&body, secret));
        }
        tracing::debug!(
            method = %ask.method,
            what = ask.need.what,
            status = head.status.as_u16(),
            "github answered"
        );
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// Where GitHub sends us to: only to itself.
    fn moved(&self, answer: &Answer) -> Option<String> {
        let moved = [
            StatusCode::MOVED_PERMANENTLY,
            StatusCode::FOUND,
            StatusCode::TEMPORARY_REDIRECT,
            StatusCode::PERMANENT_REDIRECT,
        ];
        if !moved.contains(&answer.status) {
            return None;
        }
        self.below(answer.header(LOCATION.as_str()))
    }

    /// What stands behind the API's address.
    pub(crate) fn below(&self, address: &str) -> Option<String> {
        let path = address.strip_prefix(&self.base)?;
        path.starts_with('/').then(|| path.to_owned())
    }
}

fn request(
    ask: &Ask<'_>,
    path: &str,
    bearer: &SecretString,
) -> Result<Request<OctoBody>, ProviderError> {
    let bad = |_| ProviderError::Invalid("the credential has characters that no token has".into());
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", bearer.expose_secret())).map_err(bad)?;
    value.set_sensitive(true);
    let mut request = Request::builder()
        .method(&ask.method)
        .uri(path)
        .header(AUTHORIZATION, value)
        .header(ACCEPT, "application/vnd.github+json")
        .header("x-github-api-version", VERSION);
    if let Some(etag) = &ask.etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let body = match &ask.body {
        Some(body) => {
            request = request.header(CONTENT_TYPE, "application/json");
            OctoBody::from(body.to_string())
        }
        None => OctoBody::empty(),
    };
    if ask.body.is_none() && ask.method != Method::GET {
        request = request.header(http::header::CONTENT_LENGTH, "0");
    }
    let bad = |_| ProviderError::Invalid("the request has characters that no address has".into());
    request.body(body).map_err(bad)
}

/// A body in which a secret does not stand.
fn without(body: &Bytes, secret: &str) -> Bytes {
    let text = String::from_utf8_lossy(body);
    if secret.is_empty() || !text.contains(secret) {
        return body.clone();
    }
    Bytes::from(text.replace(secret, "***"))
}

/// The cause of a failure in few words; errors of libraries may show addresses.
fn cause(error: &(dyn Error + 'static)) -> String {
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
