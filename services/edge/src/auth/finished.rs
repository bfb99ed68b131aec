//! Where a sign-in led that has ended well: its cookie says so, for a browser that loads the provider's redirect again.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// How the value of such a cookie begins. No secret of a sign-in that is under way has a full stop.
const PREFIX: &str = "finished.";

/// A sign-in that has ended well.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Finished {
    /// The path of the console where the browser went.
    pub(super) path: String,
}

impl Finished {
    /// A sign-in that led to this path; empty is the start page.
    pub(super) fn new(path: String) -> Self {
        let path = if path.is_empty() { "/".into() } else { path };
        Self { path }
    }

    /// Returns the cookie's value.
    pub(super) fn text(&self) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&self.path))
    }

    /// Reads a cookie's value; none if the sign-in has not ended, or if the path could lead to another site.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let path = String::from_utf8(bytes).ok()?;
        let is_plain = path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
        let is_ours = path.starts_with('/') && !path.starts_with("//");
        (is_plain && is_ours).then_some(Self { path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_console_are_read() {
        for (path, read) in [("", "/"), ("/runs?state=failed#x", "/runs?state=failed#x")] {
            let finished = Finished::new(path.to_owned());
            assert_eq!(Finished::read(&finished.text()).expect("one").path, read);
        }
        for path in [
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\nb",
        ] {
            let finished = Finished::new(path.to_owned());
            assert_eq!(Finished::read(&finished.text()), None, "{path}");
        }
        for text in ["", "finished", "finished.!", "c2VjcmV0"] {
            assert_eq!(Finished::read(text), None, "{text}");
        }
    }
}
