//! The embedded files of the console, with headers that keep other sites away from them.
use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
        REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};
use http_body_util::Full;
use rust_embed::{EmbeddedFile, RustEmbed};
use tonic::body::Body;

use crate::response::CodeResponse;

/// The built console. Without a build it is empty, and there is no page.
#[derive(RustEmbed)]
#[folder = "../../gen/console"]
#[allow_missing = true]
struct Files;

/// The page that is served at every path of the console.
const INDEX_FILE: &str = "index.html";
/// The files that have a hash in their name.
const HASHED_FILES_PREFIX: &str = "assets/";
/// The paths that are not the console's: they never get its page.
const RESERVED_PREFIXES: [&str; 2] = ["api/", "auth/"];

/// The headers that let no other site frame the console or load into it.
const SECURITY_HEADERS: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// Serves the file at a path, or the page.
pub(crate) fn serve(method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        return not_found();
    }
    match find(path.trim_start_matches('/')) {
        Some((name, file)) => respond(method, name, file, headers),
        None => not_found(),
    }
}

/// Returns the file at a path with its name, or the page.
fn find(path: &str) -> Option<(&str, EmbeddedFile)> {
    match Files::get(path) {
        Some(file) if !path.is_empty() => Some((path, file)),
        _ if is_page(path) => Some((INDEX_FILE, Files::get(INDEX_FILE)?)),
        _ => None,
    }
}

fn respond(method: &Method, name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response<Body> {
    let tag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let bytes = match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let mut response = Response::new(Body::empty());
    let is_unchanged = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|seen| seen.as_bytes() == tag.as_bytes());
    let length = bytes.len();
    if is_unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else if method == Method::GET {
        *response.body_mut() = Body::new(Full::new(bytes));
    }
    let set = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        set.insert(name, HeaderValue::from_static(value));
    }
    let cache_control = if name.starts_with(HASHED_FILES_PREFIX) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    set.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        set.insert(ETAG, tag);
    }
    if !is_unchanged {
        set.insert(CONTENT_LENGTH, HeaderValue::from(length));
        set.insert(CONTENT_TYPE, content_type(file.metadata.mimetype()));
    }
    response
}

/// A webhook's sender reads the same shape, so that the delivery's id is there.
fn not_found() -> Response<Body> {
    CodeResponse::not_found()
        .for_delivery(String::new())
        .into_response()
}

/// Returns whether a path is one that a person sees in the address bar, and not the name of a file.
fn is_page(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    !last.contains('.')
        && !RESERVED_PREFIXES
            .iter()
            .any(|prefix| path.starts_with(prefix))
}

fn content_type(mime: &str) -> HeaderValue {
    let text = mime.starts_with("text/") || mime == "application/javascript";
    let full = if text {
        format!("{mime}; charset=utf-8")
    } else {
        mime.to_owned()
    };
    HeaderValue::from_str(&full).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
