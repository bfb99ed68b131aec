//! Pages: sizes, and opaque tokens that hold the key after which the next page starts. (AIP-158)
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use tonic::Status;

use crate::status;

/// What a caller gets who does not say.
const DEFAULT_SIZE: i32 = 50;
/// More than this is never sent at once: it bounds an answer's size.
const LARGEST_SIZE: i32 = 200;

/// How many rows a page has; one below 0 is refused, one above 200 is 200.
///
/// # Errors
/// INVALID_ARGUMENT for a negative size.
pub fn size(asked: i32) -> Result<i64, Status> {
    match asked {
        0 => Ok(DEFAULT_SIZE.into()),
        1.. => Ok(asked.min(LARGEST_SIZE).into()),
        _ => Err(status::invalid("page_size", "must not be negative")),
    }
}

/// The token of a key.
#[must_use]
pub fn encode<K: Serialize>(key: &K) -> String {
    serde_json::to_vec(key).map_or_else(|_| String::new(), |json| URL_SAFE_NO_PAD.encode(json))
}

/// The key of a token; none for the first page.
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
