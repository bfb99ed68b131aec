//! The cookies of the edge. No script reads them, and they go nowhere but to `/auth`.
use std::borrow::Cow;

use cookie::{Cookie, SameSite, time::Duration};
use http::{HeaderMap, HeaderValue, header::COOKIE};
use sha2::{Digest, Sha256};

/// The refresh token. No link or page of another site brings it along.
pub(super) const REFRESH: CookieSpec = CookieSpec {
    name: Cow::Borrowed("ck8s_refresh"),
    same_site: SameSite::Strict,
};
/// How the names of the cookies of sign-ins begin.
const SIGN_IN_PREFIX: &str = "ck8s_sign_in_";
/// How much of a state's hash is in its cookie's name: enough to tell a browser's few sign-ins apart.
const STATE_BYTES: usize = 8;

/// One of the cookies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CookieSpec {
    name: Cow<'static, str>,
    same_site: SameSite,
}

/// How a cookie is transported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Transport {
    /// Over TLS alone.
    Secure,
    /// Over TCP too, where people reach the console without TLS.
    Any,
}

impl CookieSpec {
    /// Binds the sign-in of a state to the browser that began it. The redirect of the provider must bring it along.
    /// Each sign-in has its own, so that a browser can begin several.
    pub(super) fn sign_in(state: &str) -> Self {
        let hash = Sha256::digest(state);
        let name = hash.iter().take(STATE_BYTES);
        let name: String = name.map(|byte| format!("{byte:02x}")).collect();
        Self::named(format!("{SIGN_IN_PREFIX}{name}"))
    }

    /// Returns the cookies of sign-ins that the browser sent: browsers send the oldest first.
    pub(super) fn sign_ins(headers: &HeaderMap) -> Vec<Self> {
        let names = sent(headers).map(|cookie| cookie.name().to_owned());
        let names = names.filter(|name| name.starts_with(SIGN_IN_PREFIX));
        names.map(Self::named).collect()
    }

    fn named(name: String) -> Self {
        Self {
            name: name.into(),
            same_site: SameSite::Lax,
        }
    }

    /// Returns the value that the browser sent; none if it sent several.
    pub(super) fn read<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut values = sent(headers)
            .filter(|cookie| cookie.name() == self.name)
            .filter_map(|cookie| cookie.value_raw());
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Some(value),
            _ => None,
        }
    }

    /// Returns the header that sets the cookie for so many seconds; none if the value does not fit into a header.
    pub(super) fn set(
        &self,
        value: &str,
        seconds: i64,
        transport: Transport,
    ) -> Option<HeaderValue> {
        let cookie = Cookie::build((self.name.as_ref(), value))
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
    pub(super) fn clear(&self, transport: Transport) -> Option<HeaderValue> {
        self.set("", 0, transport)
    }
}

/// Returns the cookies that the browser sent.
fn sent(headers: &HeaderMap) -> impl Iterator<Item = Cookie<'_>> {
    let texts = headers.get_all(COOKIE).iter();
    let texts = texts.filter_map(|value| value.to_str().ok());
    texts.flat_map(Cookie::split_parse).filter_map(Result::ok)
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
    fn each_sign_in_has_its_own_cookie() {
        let (one, two) = (CookieSpec::sign_in("one"), CookieSpec::sign_in("two"));
        let mut headers = HeaderMap::new();
        let text = format!("a=b; {}=1; ck8s_refresh=x; {}=2", one.name, two.name);
        headers.insert(COOKIE, text.parse().expect("a header"));
        assert_eq!(one.read(&headers), Some("1"));
        assert_eq!(two.read(&headers), Some("2"));
        assert_eq!(CookieSpec::sign_ins(&headers), [one, two]);
    }

    #[test]
    fn a_cookie_says_where_it_goes_and_how_long_it_lives() {
        let set = REFRESH.set("x", 60, Transport::Secure).expect("a header");
        assert_eq!(
            set,
            "ck8s_refresh=x; HttpOnly; SameSite=Strict; Secure; Path=/auth; Max-Age=60"
        );
        let sign_in = CookieSpec::sign_in("state");
        let clear = sign_in.clear(Transport::Any).expect("a header");
        assert_eq!(
            clear,
            format!(
                "{}=; HttpOnly; SameSite=Lax; Path=/auth; Max-Age=0",
                sign_in.name
            )
        );
        assert!(sign_in.set("a\nb", 1, Transport::Secure).is_none());
    }
}
