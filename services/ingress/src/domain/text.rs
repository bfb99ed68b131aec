//! Text from outside, made fit to be stored.
use ck8s_types::without_nul;

/// Returns the text without NUL, which PostgreSQL refuses, and with at most so many characters.
pub(crate) fn sanitize(text: &str, max_chars: usize) -> String {
    let end = text
        .char_indices()
        .nth(max_chars)
        .map_or(text.len(), |(at, _)| at);
    without_nul(&text[..end])
}
