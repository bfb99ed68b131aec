//! One answer, and what a refusal means.
use bytes::Bytes;
use ck8s_provider::ProviderError;
use http::{HeaderMap, StatusCode, header::ETAG};
use serde::de::DeserializeOwned;

use crate::{needs::Need, wire::Refusal};

/// What GitHub says of a refusal is shown as far as this, in characters.
const SHOWN: usize = 300;

/// An answer that came whole. Secrets of the request are gone from the body of a refusal.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// A header's text; empty: there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// What to ask with next time.
    pub(crate) fn etag(&self) -> String {
        self.header(ETAG.as_str()).to_owned()
    }

    pub(crate) fn unchanged(&self) -> bool {
        self.status == StatusCode::NOT_MODIFIED
    }

    pub(crate) fn missing(&self) -> bool {
        matches!(self.status, StatusCode::NOT_FOUND | StatusCode::GONE)
    }

    /// Whether it is a success, or why not.
    pub(crate) fn good(self, need: Need) -> Result<Self, ProviderError> {
        if self.status.is_success() || self.unchanged() {
            return Ok(self);
        }
        Err(match self.status {
            _ if self.missing() => ProviderError::NotFound(need.thing),
            StatusCode::FORBIDDEN => ProviderError::Denied {
                what: need.what,
                permission: need.permission,
            },
            _ => ProviderError::Invalid(self.why()),
        })
    }

    /// What is in it.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // Its text may show a part of the answer: only where and what kind.
            let (line, column) = (error.line(), error.column());
            let what = format!("an answer that cannot be read, at {line}:{column}");
            ProviderError::Unavailable(what)
        })
    }

    /// What GitHub says of its refusal, short.
    pub(crate) fn why(&self) -> String {
        let refusal: Refusal = serde_json::from_slice(&self.body).unwrap_or_default();
        let mut text = refusal.text();
        if text.is_empty() {
            text = format!("it answered {}", self.status.as_u16());
        }
        text.chars().take(SHOWN).collect()
    }
}
