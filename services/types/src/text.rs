//! Texts from outside that must be stored: without the one character that no database takes.

/// The character that neither PostgreSQL nor an environment variable can hold.
const NUL: char = '\0';

/// Returns the text without NUL characters. It is for texts that nobody can be refused for, as those of a payload.
#[must_use]
pub fn without_nul(text: &str) -> String {
    text.replace(NUL, "")
}
