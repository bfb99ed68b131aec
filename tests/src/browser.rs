//! A browser without a screen: cookies, forms, and redirects that a test follows one by one.
use std::collections::BTreeMap;

use http::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE, USER_AGENT};
use reqwest::{Client, Method, RequestBuilder, Url, redirect::Policy};
use serde_json::Value;

/// A cookie as it was set.
#[derive(Clone, Debug)]
pub struct Cookie {
    /// The value; usually a secret.
    pub value: String,
    /// The attributes as they were received: `HttpOnly`, `SameSite=Lax`, `Path=/auth` and so on.
    pub attributes: Vec<String>,
}

impl Cookie {
    /// Returns whether the cookie has this attribute.
    #[must_use]
    pub fn has(&self, attribute: &str) -> bool {
        self.attributes
            .iter()
            .any(|a| a.eq_ignore_ascii_case(attribute))
    }

    fn value_of(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find_map(|attribute| {
            let (key, value) = attribute.split_once('=')?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A response.
#[derive(Debug)]
pub struct Page {
    /// The address of the page.
    pub url: Url,
    /// The status.
    pub status: u16,
    /// The address that it redirects the browser to.
    pub location: Option<Url>,
    /// The content type.
    pub kind: String,
    /// The headers, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The text of the body.
    pub text: String,
}

impl Page {
    /// Returns the text as JSON; null if it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Returns a query parameter of the address that it redirects to.
    #[must_use]
    pub fn sent(&self, name: &str) -> Option<String> {
        let mut pairs = self.location.as_ref()?.query_pairs();
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }

    /// Returns the hidden fields of the form.
    fn hidden(&self) -> Vec<(String, String)> {
        let inputs = self.text.split("<input type=\"hidden\" ").skip(1);
        inputs
            .filter_map(|input| {
                let tag = input.split('>').next()?;
                Some((quoted(tag, "name")?, quoted(tag, "value")?))
            })
            .collect()
    }
}

fn quoted(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    let text = rest.split('"').next()?;
    Some(
        text.replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}

/// One person's browser.
pub struct Browser {
    client: Client,
    /// The cookies, by name. The hosts of a test differ by port, which cookies ignore.
    pub cookies: BTreeMap<String, Cookie>,
    /// Every value that a cookie has ever had.
    pub seen: Vec<(String, String)>,
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// Makes a browser without cookies.
    ///
    /// # Panics
    /// When there is no TLS provider.
    #[must_use]
    pub fn new() -> Self {
        Self {
            client: Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .build()
                .expect("a client"),
            cookies: BTreeMap::new(),
            seen: Vec::new(),
        }
    }

    /// Opens an address.
    pub async fn get(&mut self, url: &str) -> Page {
        let request = self.client.get(url);
        self.send(request, url).await
    }

    /// Posts JSON as a script of the page's own origin does.
    pub async fn post(&mut self, url: &str, body: &Value) -> Page {
        let origin = Url::parse(url)
            .expect("an address")
            .origin()
            .ascii_serialization();
        self.post_from(&origin, url, body).await
    }

    /// Posts JSON as a script of the given origin does.
    pub async fn post_from(&mut self, origin: &str, url: &str, body: &Value) -> Page {
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(ORIGIN, origin)
            .body(body.to_string());
        self.send(request, url).await
    }

    /// Sends any other request.
    pub async fn request(
        &mut self,
        method: Method,
        url: &str,
        shape: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Page {
        let request = shape(self.client.request(method, url));
        self.send(request, url).await
    }

    /// Submits the page's form with one of its buttons.
    pub async fn press(&mut self, page: &Page, button: &str, value: &str) -> Page {
        let action = page
            .text
            .split("action=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_else(|| panic!("no form: {page:?}"));
        let url = page.url.join(action).expect("an address");
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(page.hidden()).append_pair(button, value);
        let request = self
            .client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.finish());
        self.send(request, url.as_str()).await
    }

    /// Follows one redirect.
    ///
    /// # Panics
    /// When the page does not redirect.
    pub async fn follow(&mut self, page: &Page) -> Page {
        let to = page
            .location
            .clone()
            .unwrap_or_else(|| panic!("nowhere to go: {page:?}"));
        self.get(to.as_str()).await
    }

    /// Returns a cookie's value.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.get(name).map(|cookie| cookie.value.clone())
    }

    async fn send(&mut self, request: RequestBuilder, url: &str) -> Page {
        let url = Url::parse(url).expect("an address");
        let sent: Vec<String> = self
            .cookies
            .iter()
            .filter(|(_, cookie)| {
                let path = cookie.value_of("path").unwrap_or("/");
                url.path().starts_with(path)
            })
            .map(|(name, cookie)| format!("{name}={}", cookie.value))
            .collect();
        let request = request.header(USER_AGENT, "ck8s-tests");
        let request = if sent.is_empty() {
            request
        } else {
            request.header(COOKIE, sent.join("; "))
        };
        let response = request.send().await.expect("an answer");
        for set in response.headers().get_all(SET_COOKIE) {
            self.keep(set.to_str().expect("a cookie is text"));
        }
        let headers: BTreeMap<String, String> = response
            .headers()
            .iter()
            .map(|(name, value)| {
                let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), text)
            })
            .collect();
        let location = headers.get(LOCATION.as_str());
        Page {
            location: location.map(|to| url.join(to).expect("an address")),
            kind: headers
                .get(CONTENT_TYPE.as_str())
                .cloned()
                .unwrap_or_default(),
            status: response.status().as_u16(),
            text: response.text().await.expect("a whole answer"),
            headers,
            url,
        }
    }

    fn keep(&mut self, set: &str) {
        let mut parts = set.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            panic!("no cookie: {set}");
        };
        let cookie = Cookie {
            value: value.to_owned(),
            attributes: parts.map(str::to_owned).collect(),
        };
        let gone = value.is_empty() || cookie.has("Max-Age=0");
        if gone {
            self.cookies.remove(name);
            return;
        }
        self.seen.push((name.to_owned(), value.to_owned()));
        self.cookies.insert(name.to_owned(), cookie);
    }
}
