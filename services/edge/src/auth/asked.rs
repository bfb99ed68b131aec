//! What a script's request must be before it is looked at: JSON, of our own pages, and short.
use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, Request, StatusCode,
    header::{CONTENT_TYPE, HOST, ORIGIN},
    request::Parts,
};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

/// The longest body: a code, or nothing.
const LONGEST: usize = 16 * 1024;
/// How long it may take to come.
const TIME: Duration = Duration::from_secs(10);
/// How long auth may take: it may have to ask the provider three times.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a request is not looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Odd {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: &'static str,
}

/// A message to auth, which must be answered in time.
pub(super) fn with_deadline<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(PATIENCE);
    request
}

/// The head and the body of a request that one of our own pages can have sent.
pub(super) async fn read(
    request: Request<Incoming>,
    public_url: Option<&str>,
) -> Result<(Parts, Bytes), Odd> {
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        return Err(Odd {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            code: "CONTENT_TYPE_INVALID",
            message: "the content type must be application/json",
        });
    }
    if !is_own(&head, public_url) {
        return Err(Odd {
            status: StatusCode::FORBIDDEN,
            code: "ORIGIN_FOREIGN",
            message: "another site's pages may not ask for this",
        });
    }
    match tokio::time::timeout(TIME, Limited::new(body, LONGEST).collect()).await {
        Ok(Ok(collected)) => Ok((head, collected.to_bytes())),
        _ => Err(Odd {
            status: StatusCode::BAD_REQUEST,
            code: "BODY_UNREADABLE",
            message: "the body is too long, or did not come in full and in time",
        }),
    }
}

/// JSON: what no form of another site can send.
fn is_json(headers: &HeaderMap) -> bool {
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media = media.and_then(|value| value.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// No page of another site: browsers say where a page comes from. What is no browser says nothing.
fn is_own(head: &Parts, public_url: Option<&str>) -> bool {
    let mut origins = head.headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    if origins.next().is_some() {
        return false;
    }
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    if let Some((ours, rest)) = public_url.and_then(|url| url.split_once("://")) {
        let host = rest.split('/').next().unwrap_or_default();
        if ours.eq_ignore_ascii_case(scheme) && host.eq_ignore_ascii_case(authority) {
            return true;
        }
        // Behind TLS, a page that came without is not ours.
        if ours.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("https") {
            return false;
        }
    }
    let host = head.headers.get(HOST).and_then(|value| value.to_str().ok());
    let host = host.or(head.uri.authority().map(|authority| authority.as_str()));
    host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(host: &str, origin: Option<&str>, public_url: Option<&str>) -> bool {
        let mut request = Request::builder().uri("/auth/refresh").header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        is_own(&head, public_url)
    }

    #[test]
    fn only_our_own_pages_and_no_pages_may_ask() {
        let public = Some("https://ck8s.example");
        assert!(own("ck8s.example", None, public));
        assert!(own("inside:8080", Some("https://ck8s.example"), public));
        assert!(own("127.0.0.1:8080", Some("http://127.0.0.1:8080"), None));
        for origin in [
            "https://evil.example",
            "http://ck8s.example",
            "https://ck8s.example.evil",
            "null",
            "",
        ] {
            assert!(!own("ck8s.example", Some(origin), public), "{origin}");
        }
        assert!(!own("127.0.0.1:8080", Some("http://127.0.0.1:9090"), None));
    }
}
