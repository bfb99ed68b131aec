//! Reads the requests of scripts: they must be JSON, short, and sent by one of our own pages.
use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, Request, StatusCode, Uri,
    header::{CONTENT_TYPE, HOST, ORIGIN},
    request::Parts,
};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use crate::response::CodeResponse;

/// Bounds a body: it holds a code, or nothing.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// Bounds how long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Returns the head and the body of a request that one of our own pages can have sent; otherwise what is wrong with it.
pub(super) async fn read(
    request: Request<Incoming>,
    public_url: Option<&str>,
) -> Result<(Parts, Bytes), CodeResponse> {
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        return Err(CodeResponse::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "CONTENT_TYPE_INVALID",
            "the content type must be application/json",
        ));
    }
    if !is_from_own_page(&head, public_url) {
        return Err(CodeResponse::new(
            StatusCode::FORBIDDEN,
            "ORIGIN_FOREIGN",
            "another site's pages may not ask for this",
        ));
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect()).await {
        Ok(Ok(collected)) => Ok((head, collected.to_bytes())),
        _ => Err(CodeResponse::new(
            StatusCode::BAD_REQUEST,
            "BODY_UNREADABLE",
            "the body is too long, or did not come in full and in time",
        )),
    }
}

/// Returns whether a request is JSON, which no form of another site can send.
fn is_json(headers: &HeaderMap) -> bool {
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media = media.and_then(|value| value.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// Returns whether no page of another site sent the request. Browsers say where a page comes from; other clients say
/// nothing.
fn is_from_own_page(head: &Parts, public_url: Option<&str>) -> bool {
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
        if ours.eq_ignore_ascii_case(scheme) && is_same_host(scheme, host, authority) {
            return true;
        }
        // Where the console is behind TLS, a page that came without TLS is not ours.
        if ours.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("https") {
            return false;
        }
    }
    host(&head.headers, &head.uri).is_some_and(|host| is_same_host(scheme, host, authority))
}

/// Returns whether a browser sent this request to the public URL's host; so does one that names no host.
pub(super) fn is_at<B>(request: &Request<B>, public_url: &str) -> bool {
    let (scheme, rest) = public_url.split_once("://").unwrap_or(("http", public_url));
    let public = rest.split('/').next().unwrap_or_default();
    host(request.headers(), request.uri()).is_none_or(|host| is_same_host(scheme, host, public))
}

/// Returns the host that a request names.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    host.or(uri.authority().map(|authority| authority.as_str()))
}

/// Returns whether two authorities are the same. The default port of the scheme does not matter: browsers leave it out.
fn is_same_host(scheme: &str, one: &str, other: &str) -> bool {
    let port = if scheme.eq_ignore_ascii_case("https") {
        ":443"
    } else {
        ":80"
    };
    let without_port = |authority| str::strip_suffix(authority, port).unwrap_or(authority);
    without_port(one).eq_ignore_ascii_case(without_port(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_own(host: &str, origin: Option<&str>, public_url: Option<&str>) -> bool {
        let mut request = Request::builder().uri("/auth/refresh").header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        is_from_own_page(&head, public_url)
    }

    #[test]
    fn the_default_port_of_a_scheme_does_not_matter() {
        let public = Some("https://ck8s.example:443");
        assert!(is_own("inside:8080", Some("https://ck8s.example"), public));
        let public = Some("https://ck8s.example/");
        assert!(is_own(
            "inside:8080",
            Some("https://ck8s.example:443"),
            public
        ));
        assert!(is_own("ck8s.test:80", Some("http://ck8s.test"), None));
        for origin in ["https://ck8s.example:80", "https://ck8s.example:8443"] {
            assert!(!is_own("inside:8080", Some(origin), public), "{origin}");
        }
        assert!(!is_own("ck8s.test:443", Some("http://ck8s.test"), None));
    }

    #[test]
    fn only_own_pages_and_other_clients_may_ask() {
        let public = Some("https://ck8s.example");
        assert!(is_own("ck8s.example", None, public));
        assert!(is_own("inside:8080", Some("https://ck8s.example"), public));
        assert!(is_own(
            "127.0.0.1:8080",
            Some("http://127.0.0.1:8080"),
            None
        ));
        for origin in [
            "https://evil.example",
            "http://ck8s.example",
            "https://ck8s.example.evil",
            "null",
            "",
        ] {
            assert!(!is_own("ck8s.example", Some(origin), public), "{origin}");
        }
        assert!(!is_own(
            "127.0.0.1:8080",
            Some("http://127.0.0.1:9090"),
            None
        ));
    }
}
