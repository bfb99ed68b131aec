//! Pages: sizes, and opaque tokens that hold the key after which the next page starts. (AIP-158)
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message;
use serde::{Serialize, de::DeserializeOwned};
use tonic::Status;

use crate::status;

/// The rows of a page where the caller names no size.
const DEFAULT_PAGE_SIZE: i32 = 50;
/// Bounds the size of a response.
const MAX_PAGE_SIZE: i32 = 200;

/// Bounds the bytes of a page: half of what a gRPC client takes unless it is told otherwise.
const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

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

/// Ends a page where it would have more than 2 MiB, after one row at least. Returns whether rows were cut off: the next
/// page then starts after the last one that is left.
pub fn shorten<M: Message>(rows: &mut Vec<M>) -> bool {
    let mut bytes = 0;
    let fitting = rows.iter().take_while(|row| {
        bytes += row.encoded_len();
        bytes <= MAX_PAGE_BYTES
    });
    let fitting = fitting.count().max(1);
    let is_cut = fitting < rows.len();
    rows.truncate(fitting);
    is_cut
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_it_would_be_too_large() {
        let row = "x".repeat(MAX_PAGE_BYTES / 2);
        let mut large = vec![row.clone(), row.clone(), row];
        assert!(shorten(&mut large));
        assert_eq!(
            large.len(),
            1,
            "each row has a few bytes more than its text"
        );
        let mut huge = vec!["x".repeat(MAX_PAGE_BYTES * 2)];
        assert!(!shorten(&mut huge));
        assert_eq!(huge.len(), 1);
        let mut small = vec!["x".to_owned(); 200];
        assert!(!shorten(&mut small));
        assert_eq!(small.len(), 200);
    }
}
