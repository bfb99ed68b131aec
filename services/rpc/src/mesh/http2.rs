//! How HTTP/2 is set up between roles, and what it bounds.
use std::time::Duration;

use http::HeaderMap;

/// The largest message between roles: a webhook of 25 MB and what stands around it.
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;
/// The HTTP/2 windows: the largest message may be under way without waiting for the reader.
pub(super) const WINDOW_BYTES: u32 = 32 * 1024 * 1024;
/// The largest HTTP/2 frame: fewer of them for large messages.
pub(super) const MAX_FRAME_BYTES: u32 = 256 * 1024;
/// Bounds the headers of a request in all.
pub(super) const MAX_HEADER_BYTES: u32 = 64 * 1024;
/// How often a silent connection is asked whether its other end lives, and how long the answer may take.
pub(super) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Bounds the headers that a call may bring from outside: what ck8s adds to them fits too. The other end would close
/// the connection of everybody for one call that exceeds [`MAX_HEADER_BYTES`].
const MAX_CALL_HEADER_BYTES: usize = 48 * 1024;
/// What HTTP/2 counts for each header besides its name and value.
const HEADER_OVERHEAD_BYTES: usize = 32;

/// Returns the size of headers as HTTP/2 counts it.
#[must_use]
pub fn header_bytes(headers: &HeaderMap) -> usize {
    let size = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + HEADER_OVERHEAD_BYTES
    };
    headers.iter().map(size).sum()
}

/// Whether a call with these headers can be made on a connection that it shares with others.
pub(super) fn fit(headers: &HeaderMap) -> bool {
    header_bytes(headers) <= MAX_CALL_HEADER_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_with_large_headers_does_not_fit() {
        let with = |bytes: usize| {
            let mut headers = HeaderMap::new();
            headers.insert("x-large", "x".repeat(bytes).parse().unwrap());
            headers
        };
        assert!(fit(&with(40 * 1024)));
        assert!(!fit(&with(48 * 1024)));
        let mut many = HeaderMap::new();
        for n in 0..2_000 {
            let name = http::HeaderName::try_from(format!("x-{n}")).unwrap();
            many.insert(name, http::HeaderValue::from_static(""));
        }
        assert!(!fit(&many));
    }
}
