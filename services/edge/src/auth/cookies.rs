//! The two cookies of the edge. No script reads them, and they go nowhere but to `/auth`.
use cookie::{Cookie, SameSite, time::Duration};
use http::{HeaderMap, HeaderValue, header::COOKIE};

/// One of the cookies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CookieSpec {
    name: &'static str,
    same_site: SameSite,
}

/// Binds a sign-in to the browser that began it. The redirect of the provider must bring it along.
pub(super) const SIGN_IN: CookieSpec = CookieSpec {
    name: "ck8s_sign_in",
    same_site: SameSite::Lax,
};
/// The refresh token. No link or page of another site brings it along.
pub(super) const REFRESH: CookieSpec = CookieSpec {
    name: "ck8s_refresh",
    same_site: SameSite::Strict,
};

/// How a cookie is transported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Transport {
    /// Over TLS alone.
    Secure,
    /// Over TCP too, where people reach the console without TLS.
    Any,
}

impl CookieSpec {
    /// Returns the value that the browser sent; none if it sent several.
    pub(super) fn read(self, headers: &HeaderMap) -> Option<&str> {
        let texts = headers.get_all(COOKIE).iter();
        let texts = texts.filter_map(|value| value.to_str().ok());
        let mut values = texts
            .flat_map(Cookie::split_parse)
            .filter_map(Result::ok)
            .filter(|cookie| cookie.name() == self.name)
            .filter_map(|cookie| cookie.value_raw());
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Some(value),
            _ => None,
        }
    }

    /// Returns the header that sets the cookie for so many seconds; none if the value does not fit into a header.
    pub(super) fn set(
        self,
        value: &str,
        seconds: i64,
        transport: Transport,
    ) -> Option<HeaderValue> {
        let cookie = Cookie::build((self.name, value))
            .path("/auth")
            .max_age(Duration::seconds(seconds))
            .http_only(true)
            .same_site(self.same_site)
            .secure(transport == Transport::Secure)
            .build();
        let mut header = HeaderValue::from_str(&cookie.to_string()).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// Returns the header that makes the browser forget the cookie.
    pub(super) fn clear(self, transport: Transport) -> Option<HeaderValue> {
        self.set("", 0, transport)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_read_if_the_browser_sent_exactly_one() {
        let sent = |texts: &[&str]| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(COOKIE, text.parse().expect("a header"));
            }
            REFRESH.read(&headers).map(str::to_owned)
        };
        assert_eq!(sent(&["a=b; ck8s_refresh=x; c"]).as_deref(), Some("x"));
        assert_eq!(sent(&["a=b", "ck8s_refresh=x=y"]).as_deref(), Some("x=y"));
        assert_eq!(sent(&["ck8s_refresh=x; ck8s_refresh=y"]), None);
        assert_eq!(sent(&["ck8s_refresh=", "ck8s_refreshed=x"]), None);
        assert_eq!(sent(&[]), None);
    }

    #[test]
    fn a_cookie_says_where_it_goes_and_how_long_it_lives() {
        let set = REFRESH.set("x", 60, Transport::Secure).expect("a header");
        assert_eq!(
            set,
            "ck8s_refresh=x; HttpOnly; SameSite=Strict; Secure; Path=/auth; Max-Age=60"
        );
        let clear = SIGN_IN.clear(Transport::Any).expect("a header");
        assert_eq!(
            clear,
            "ck8s_sign_in=; HttpOnly; SameSite=Lax; Path=/auth; Max-Age=0"
        );
        assert!(SIGN_IN.set("a\nb", 1, Transport::Secure).is_none());
    }
}
