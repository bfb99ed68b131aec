//! One request, before anybody's name is on it.
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::needs::Need;

/// What stands in a path or a query as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// As whom of the credential.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope<'a> {
    /// For the repository of this name, of which nothing else is known yet.
    Named(&'a str),
    /// For the repository of this id.
    Id(&'a str),
    /// For none: to say who it is.
    Nothing,
    /// The app itself; a personal token knows no difference.
    App,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub method: Method,
    /// Below the API's address, with its query.
    pub path: String,
    pub body: Option<Value>,
    /// What was there last time.
    pub etag: Option<String>,
    /// What must not be in an answer that is shown.
    pub secret: Option<&'a str>,
    pub need: Need,
}

impl Ask<'_> {
    pub(crate) fn new(method: Method, path: String, need: Need) -> Self {
        Self {
            method,
            path,
            body: None,
            etag: None,
            secret: None,
            need,
        }
    }

    pub(crate) fn get(path: String, need: Need) -> Self {
        Self::new(Method::GET, path, need)
    }

    pub(crate) fn with(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn unless(mut self, etag: Option<&str>) -> Self {
        self.etag = etag.map(str::to_owned);
        self
    }

    /// It changes nothing, so it may be repeated.
    pub(crate) fn reads(&self) -> bool {
        self.method == Method::GET
    }
}

/// One part of a path, or a value of a query.
pub(crate) fn part(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

/// A path of several parts.
pub(crate) fn parts(path: &str) -> String {
    let parts: Vec<_> = path
        .split('/')
        .filter(|p| !p.is_empty())
        .map(part)
        .collect();
    parts.join("/")
}
