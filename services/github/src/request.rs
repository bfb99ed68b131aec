//! A request to GitHub's API, before a token is added.
use http::Method;
use serde_json::Value;

use crate::operations::Operation;

/// What an app's token has to reach. A personal token is the same for all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TokenScope<'a> {
    /// The repository of this name, of which nothing else is known yet.
    RepositoryName(&'a str),
    /// The repository of this id.
    RepositoryId(&'a str),
    /// No repository.
    NoRepository,
    /// The app itself, not an installation.
    App,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    pub method: Method,
    /// Below the API's address, with the query.
    pub path: String,
    pub body: Option<Value>,
    /// GitHub answers 304 if the resource still has this ETag.
    pub etag: Option<String>,
    /// A secret in the body, which is cut out of the response if GitHub repeats it.
    pub secret: Option<&'a str>,
    pub operation: Operation,
}

impl Request<'_> {
    pub(crate) fn new(method: Method, path: String, operation: Operation) -> Self {
        Self {
            method,
            path,
            body: None,
            etag: None,
            secret: None,
            operation,
        }
    }

    pub(crate) fn get(path: String, operation: Operation) -> Self {
        Self::new(Method::GET, path, operation)
    }

    pub(crate) fn with_body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn if_none_match(mut self, etag: Option<&str>) -> Self {
        self.etag = etag.map(str::to_owned);
        self
    }

    /// Reports whether it changes nothing, so that it may be repeated.
    pub(crate) fn is_read(&self) -> bool {
        self.method == Method::GET
    }
}
