//! Pages: sizes, and opaque tokens that hold the key after which the next page starts. (AIP-158)
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use tonic::Status;

use crate::status;

/// The rows of a page where the caller names no size.
const DEFAULT_PAGE_SIZE: i32 = 50;
/// Bounds the size of a response.
const MAX_PAGE_SIZE: i32 = 200;

/// Returns how many rows a page has: 50 where the caller names no size, 200 at most.
///
/// # Errors
/// INVALID_ARGUMENT for a negative size.
pub fn size(requested: i32) -> Result<i64, Status> {
    match requested {
        0 => Ok(DEFAULT_PAGE_SIZE.into()),
        1.. => Ok(requested.min(MAX_PAGE_SIZE).into()),
        _ => Err(status::invalid("page_size", "must not be negative")),
    }
}

/// Returns the token of a key.
#[must_use]
pub fn encode<K: Serialize>(key: &K) -> String {
    serde_json::to_vec(key).map_or_else(|_| String::new(), |json| URL_SAFE_NO_PAD.encode(json))
}

/// Returns the key of a token. None: the first page.
///
/// # Errors
/// INVALID_ARGUMENT for a token that is not ours.
pub fn decode<K: DeserializeOwned>(field: &'static str, token: &str) -> Result<Option<K>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok())
        .map(Some)
        .ok_or_else(|| status::invalid(field, "not a token of an earlier answer"))
}
