//! Paths of GitHub's API, from texts that may hold anything.
use ck8s_provider::ProviderError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that are encoded: all but the unreserved ones of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Encodes one segment of a path, or a value of a query.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Encodes a path of several segments.
pub(crate) fn segments(path: &str) -> String {
    let segments: Vec<_> = path
        .split('/')
        .filter(|text| !text.is_empty())
        .map(segment)
        .collect();
    segments.join("/")
}

/// Returns a repository's path, from its owner and its name.
pub(crate) fn repository(full_name: &str) -> Result<String, ProviderError> {
    let invalid = || ProviderError::Invalid(format!("\"{full_name}\" is not owner/name"));
    let (owner, name) = full_name.split_once('/').ok_or_else(invalid)?;
    let is_name = |text: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !text.is_empty() && text != "." && text != ".." && text.chars().all(allowed)
    };
    if !is_name(owner) || !is_name(name) {
        return Err(invalid());
    }
    Ok(format!("/repos/{owner}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        assert_eq!(repository("acme/app.rs").unwrap(), "/repos/acme/app.rs");
        for wrong in [
            "acme",
            "acme/",
            "/app",
            "acme/app/x",
            "acme/..",
            "acme/a?b",
            "a b/c",
            "",
        ] {
            assert!(repository(wrong).is_err(), "{wrong}");
        }
    }
}
