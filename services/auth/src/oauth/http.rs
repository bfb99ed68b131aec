//! HTTP requests to the provider, with bounded time, bounded bodies and few attempts. What a response says is never
//! logged: it can hold a token.
use std::time::Duration;

use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{HeaderMap, HeaderName, LINK, RETRY_AFTER},
    redirect::Policy,
};
use serde::de::DeserializeOwned;

use crate::error::SignInError;

/// How long a request and its repetitions may take: a person waits for them.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest body that is read: a hundred addresses are a few kilobytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The pauses before a request is repeated that the provider did not answer: what fails once seldom fails twice.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// The longest pause that is taken over from a provider that limits requests.
const MAX_WAIT: Duration = Duration::from_secs(3600);
/// The pause where a provider that limits requests gives none.
const DEFAULT_WAIT: Duration = Duration::from_secs(60);

/// A response of the provider.
pub(super) struct ProviderResponse<T> {
    pub value: T,
    /// A request before this one was not answered, and may have had its effect.
    pub is_repeated: bool,
    /// There are more of what was asked for.
    pub has_next_page: bool,
}

/// Builds the client. It follows no redirects, so that our secret goes nowhere but to the configured address.
pub(super) fn client() -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("ck8s/", env!("CARGO_PKG_VERSION")))
        .timeout(REQUEST_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .build()
}

/// Sends a request, again if the provider does not answer, and decodes the answer. `what` says to a person what was
/// asked for.
pub(super) async fn send<T: DeserializeOwned>(
    what: &'static str,
    request: RequestBuilder,
) -> Result<ProviderResponse<T>, SignInError> {
    let attempts = async {
        let mut pauses = PAUSES.iter();
        let mut is_repeated = false;
        loop {
            let Some(next) = request.try_clone() else {
                return Err(unavailable(what, "the request cannot be sent"));
            };
            match (attempt(what, next).await, pauses.next()) {
                (Err(SignInError::ProviderUnavailable(cause)), Some(pause)) => {
                    tracing::info!(cause, "the provider is asked again");
                    is_repeated = true;
                    tokio::time::sleep(*pause).await;
                }
                (answer, _) => {
                    return answer.map(|(value, has_next_page)| ProviderResponse {
                        value,
                        is_repeated,
                        has_next_page,
                    });
                }
            }
        }
    };
    let late = |_| Err(unavailable(what, "there was no answer in time"));
    let sent = tokio::time::timeout(REQUEST_TIMEOUT, attempts).await;
    sent.unwrap_or_else(late)
}

/// Sends a request once. OAuth errors are decoded like other answers: GitHub sends them with status 200, other servers
/// with 400.
async fn attempt<T: DeserializeOwned>(
    what: &'static str,
    request: RequestBuilder,
) -> Result<(T, bool), SignInError> {
    let failed = |error: reqwest::Error| unavailable(what, &error.without_url().to_string());
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    if let Some(wait) = limit(status, response.headers()) {
        let what = "requests of this server to the identity provider";
        return Err(SignInError::TooMany { what, wait });
    }
    if !status.is_success() && !status.is_client_error() {
        return Err(unavailable(what, &format!("status {status}")));
    }
    let has_next_page = has_next_page(response.headers());
    let body = body(what, response).await?;
    match serde_json::from_slice(&body) {
        Ok(value) => Ok((value, has_next_page)),
        Err(_) if status.is_client_error() => Err(SignInError::ProviderRefused {
            what,
            status: status.as_u16(),
        }),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let why = format!("status {status}, cannot be decoded at {line}:{column}");
            Err(unavailable(what, &why))
        }
    }
}

async fn body(what: &'static str, mut response: Response) -> Result<Vec<u8>, SignInError> {
    let failed = |error: reqwest::Error| unavailable(what, &error.without_url().to_string());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY_BYTES {
            return Err(unavailable(what, "the answer is too long"));
        }
    }
    Ok(body)
}

fn unavailable(what: &str, why: &str) -> SignInError {
    SignInError::ProviderUnavailable(format!("{what}: {why}"))
}

/// Returns how long to wait, if the provider limits our requests: with status 429, or with 403 and a header that says
/// so. <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>
fn limit(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let number = |name: HeaderName| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
    let wait = number(RETRY_AFTER);
    let is_spent = number(HeaderName::from_static("x-ratelimit-remaining")) == Some(0);
    let is_limited = status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::FORBIDDEN && (wait.is_some() || is_spent));
    let wait = wait.map_or(DEFAULT_WAIT, Duration::from_secs);
    is_limited.then_some(wait.clamp(Duration::from_secs(1), MAX_WAIT))
}

/// Returns whether the answer names a next page. Its address is not used: our token goes to the configured one only.
fn has_next_page(headers: &HeaderMap) -> bool {
    let links = headers.get_all(LINK).iter();
    links
        .filter_map(|link| link.to_str().ok())
        .flat_map(|links| links.split(','))
        .flat_map(|link| link.split(';').skip(1))
        .any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|(name, value)| {
            let value = value.parse().expect("a header");
            (HeaderName::from_static(name), value)
        });
        pairs.collect()
    }

    #[test]
    fn a_limit_is_told_from_a_refusal() {
        let wait = |status, pairs: &[_]| limit(status, &headers(pairs)).map(|wait| wait.as_secs());
        let forbidden = StatusCode::FORBIDDEN;
        assert_eq!(wait(forbidden, &[]), None);
        assert_eq!(wait(forbidden, &[("x-ratelimit-remaining", "7")]), None);
        assert_eq!(wait(forbidden, &[("x-ratelimit-remaining", "0")]), Some(60));
        assert_eq!(wait(forbidden, &[("retry-after", "9")]), Some(9));
        assert_eq!(
            wait(StatusCode::TOO_MANY_REQUESTS, &[("retry-after", "99999")]),
            Some(3600)
        );
    }

    #[test]
    fn the_next_page_is_one_of_the_links() {
        let next = |link| has_next_page(&headers(&[("link", link)]));
        assert!(next(
            "<https://a/?page=1>; rel=\"prev\", <https://a/?page=3>; rel=\"next\""
        ));
        assert!(!next("<https://a/?page=1>; rel=\"prev\""));
        assert!(!has_next_page(&HeaderMap::new()));
    }
}
