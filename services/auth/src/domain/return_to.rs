//! The path where a browser goes after a sign-in: always one of the console.
use ck8s_types::Invalid;

use super::invalid::invalid;

/// The longest path that is stored.
const MAX_PATH_BYTES: usize = 2_000;

/// Checks a path of the console; empty stands for its start page. A text that a browser could take for another site is
/// refused.
pub(crate) fn checked_return_to(path: String) -> Result<String, Invalid> {
    let ours = path.starts_with('/') && !path.starts_with("//");
    let plain =
        path.len() <= MAX_PATH_BYTES && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if path.is_empty() || (ours && plain) {
        return Ok(path);
    }
    Err(invalid("return_to", "must be a path of the console"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_to_another_site_are_refused() {
        for path in ["", "/", "/projects/demo?a=b#c"] {
            assert_eq!(checked_return_to(path.to_owned()).unwrap(), path);
        }
        let long = format!("/{}", "x".repeat(2_000));
        for path in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "evil",
            "/a\nb",
            "/ä",
            "\\/",
            &long,
        ] {
            assert!(checked_return_to(path.to_owned()).is_err(), "{path}");
        }
    }
}
