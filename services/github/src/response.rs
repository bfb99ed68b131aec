//! A response of GitHub's API, and what its status means.
use bytes::Bytes;
use ck8s_provider::ProviderError;
use http::{HeaderMap, StatusCode, header::ETAG};
use serde::de::DeserializeOwned;

use crate::{models::ErrorBody, operations::Operation};

/// How much of GitHub's error message is shown.
const MAX_MESSAGE_CHARS: usize = 300;

/// A response that was read whole. The body of a refusal holds none of the request's secrets.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What the request was for.
    pub operation: Operation,
}

impl Response {
    /// Returns a header's text; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Returns the ETag for the next conditional request.
    pub(crate) fn etag(&self) -> String {
        self.header(ETAG.as_str()).to_owned()
    }

    pub(crate) fn is_not_modified(&self) -> bool {
        self.status == StatusCode::NOT_MODIFIED
    }

    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self.status, StatusCode::NOT_FOUND | StatusCode::GONE)
    }

    /// Turns a refusal into an error.
    pub(crate) fn success(self) -> Result<Self, ProviderError> {
        if self.status.is_success() || self.is_not_modified() {
            return Ok(self);
        }
        Err(match self.status {
            _ if self.is_not_found() => ProviderError::NotFound(self.operation.resource),
            StatusCode::FORBIDDEN => ProviderError::Denied {
                what: self.operation.action,
                permission: self.operation.permission,
            },
            _ => ProviderError::Invalid(self.error_message()),
        })
    }

    /// Decodes the body.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // The error's text may quote the body, so only the position is told.
            let (line, column) = (error.line(), error.column());
            let what = format!("an answer that cannot be read, at {line}:{column}");
            ProviderError::Unavailable(what)
        })
    }

    /// Returns GitHub's explanation of a refusal, shortened.
    pub(crate) fn error_message(&self) -> String {
        let error: ErrorBody = serde_json::from_slice(&self.body).unwrap_or_default();
        let mut text = error.text();
        if text.is_empty() {
            text = format!("it answered {}", self.status.as_u16());
        }
        text.chars().take(MAX_MESSAGE_CHARS).collect()
    }
}
