//! The bearer token of a request.
use http::{HeaderMap, header::AUTHORIZATION};

/// A bearer token. Has no `Debug`: it is never logged.
pub(super) struct Bearer(String);

impl Bearer {
    /// Reads the token of a request's headers. None: it is malformed, or there are several.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (given.next(), given.next()) else {
            return None;
        };
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        let is_valid = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        (scheme.eq_ignore_ascii_case("bearer") && is_valid).then(|| Self(token.to_owned()))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}
