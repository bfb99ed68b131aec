//! Text from outside: made fit to be stored, and compared.
use ck8s_types::without_nul;

/// Returns the text without NUL, which PostgreSQL refuses, and with at most so many characters.
pub(crate) fn sanitize(text: &str, max_chars: usize) -> String {
    let end = text
        .char_indices()
        .nth(max_chars)
        .map_or(text.len(), |(at, _)| at);
    without_nul(&text[..end])
}

/// Returns whether two words are the same without regard to upper and lower case.
pub(crate) fn is_same_word(one: &str, other: &str) -> bool {
    let lower = |word: &str| {
        word.chars()
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    one == other || lower(one) == lower(other)
}
