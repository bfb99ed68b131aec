//! The console's files, embedded. They come with headers that let no other site near them.
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
use rust_embed::RustEmbed;
use tonic::body::Body;

use crate::answer::Answer;

/// The built console. Missing while nobody built it: then there is no page.
#[derive(RustEmbed)]
#[folder = "../../gen/console"]
#[allow_missing = true]
struct Files;

/// The page of every path that is the console's own.
const PAGE: &str = "index.html";
/// Files with a hash in their name.
const HASHED: &str = "assets/";
/// Paths that are somebody else's, now or soon: never a page.
const NOT_OURS: [&str; 2] = ["api/", "auth/"];

const SECURITY: [(HeaderName, &str); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// The file of a path, or the page.
pub(crate) fn serve(method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        return Answer::not_found().into_response();
    }
    let path = path.trim_start_matches('/');
    let (name, file) = match Files::get(path) {
        Some(file) if !path.is_empty() => (path, file),
        _ if is_page(path) => match Files::get(PAGE) {
            Some(file) => (PAGE, file),
            None => return Answer::not_found().into_response(),
        },
        _ => return Answer::not_found().into_response(),
    };
    let tag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let bytes = match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let mut response = Response::new(Body::empty());
    let same = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|seen| seen.as_bytes() == tag.as_bytes());
    let length = bytes.len();
    if same {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else if method == Method::GET {
        *response.body_mut() = Body::new(Full::new(bytes));
    }
    let set = response.headers_mut();
    for (name, value) in SECURITY {
        set.insert(name, HeaderValue::from_static(value));
    }
    let cached = if name.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    set.insert(CACHE_CONTROL, HeaderValue::from_static(cached));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        set.insert(ETAG, tag);
    }
    if !same {
        set.insert(CONTENT_LENGTH, HeaderValue::from(length));
        set.insert(CONTENT_TYPE, content_type(file.metadata.mimetype()));
    }
    response
}

/// A path that a person sees in the address bar: no file's name.
fn is_page(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    !last.contains('.') && !NOT_OURS.iter().any(|prefix| path.starts_with(prefix))
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
