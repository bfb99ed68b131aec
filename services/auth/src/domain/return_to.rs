//! Where a browser goes after a sign-in: a path of the console and nowhere else.
use ck8s_types::Invalid;

use super::invalid;

/// The longest path that is kept.
const LONGEST: usize = 2_000;

/// A path of ours; empty: the console's start. What a browser could read as another site is refused.
pub(crate) fn checked_return_to(path: String) -> Result<String, Invalid> {
    let ours = path.starts_with('/') && !path.starts_with("//");
    let plain = path.len() <= LONGEST && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if path.is_empty() || (ours && plain) {
        return Ok(path);
    }
    Err(invalid("return_to", "must be a path of the console"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_site_is_reached() {
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
