//! Our two cookies. No script reads them, and they go nowhere but to `/auth`.
use http::{HeaderMap, HeaderValue, header::COOKIE};

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cookie {
    name: &'static str,
    same_site: &'static str,
}

/// Binds a sign-in to the browser that began it. The provider's redirect must bring it along.
pub(super) const SIGN_IN: Cookie = Cookie {
    name: "ck8s_sign_in",
    same_site: "Lax",
};
/// The refresh token. No other site's link or page brings it along.
pub(super) const REFRESH: Cookie = Cookie {
    name: "ck8s_refresh",
    same_site: "Strict",
};

impl Cookie {
    /// The value that the browser sent; none if it sent several.
    pub fn of(self, headers: &HeaderMap) -> Option<&str> {
        let texts = headers.get_all(COOKIE).iter();
        let texts = texts.filter_map(|value| value.to_str().ok());
        let mut ours = texts
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name);
        match (ours.next(), ours.next()) {
            (Some((_, value)), None) if !value.is_empty() => Some(value),
            _ => None,
        }
    }

    /// Sets it for so many seconds; none if the value is of no use in a header.
    pub fn set(self, value: &str, seconds: i64, secure: bool) -> Option<HeaderValue> {
        let secure = if secure { "; Secure" } else { "" };
        let Self { name, same_site } = self;
        let text = format!(
            "{name}={value}; Path=/auth; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
        );
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Makes the browser forget it.
    pub fn clear(self, secure: bool) -> Option<HeaderValue> {
        self.set("", 0, secure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_if_it_is_one() {
        let sent = |texts: &[&str]| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(COOKIE, text.parse().expect("a header"));
            }
            REFRESH.of(&headers).map(str::to_owned)
        };
        assert_eq!(sent(&["a=b; ck8s_refresh=x; c"]).as_deref(), Some("x"));
        assert_eq!(sent(&["a=b", "ck8s_refresh=x=y"]).as_deref(), Some("x=y"));
        assert_eq!(sent(&["ck8s_refresh=x; ck8s_refresh=y"]), None);
        assert_eq!(sent(&["ck8s_refresh=", "ck8s_refreshed=x"]), None);
        assert_eq!(sent(&[]), None);
    }

    #[test]
    fn a_cookie_says_where_it_goes() {
        let set = REFRESH.set("x", 60, true).expect("a header");
        assert_eq!(
            set,
            "ck8s_refresh=x; Path=/auth; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
        let clear = SIGN_IN.clear(false).expect("a header");
        assert_eq!(
            clear,
            "ck8s_sign_in=; Path=/auth; Max-Age=0; HttpOnly; SameSite=Lax"
        );
        assert!(SIGN_IN.set("a\nb", 1, true).is_none());
    }
}
