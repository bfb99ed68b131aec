//! Webhooks, signed as GitHub signs them.
use std::io;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{Http, HttpResponse, new_id};

/// The path that webhooks are posted to.
pub const PATH: &str = "/api/v1/webhooks/github";

/// One webhook.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The headers, X-GitHub-Event and so on. A test may change them.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Vec<u8>,
}

/// Returns the signature of a body: `sha256=...`.
///
/// # Panics
/// Never: HMAC takes a key of any length.
#[must_use]
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

impl Webhook {
    /// Makes a signed webhook with a new delivery id.
    #[must_use]
    pub fn new(event: &str, body: Vec<u8>, secret: &str) -> Self {
        Self {
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                (
                    "user-agent".to_owned(),
                    "GitHub-Hookshot/044aadd".to_owned(),
                ),
                ("x-github-event".to_owned(), event.to_owned()),
                ("x-github-delivery".to_owned(), new_id()),
                ("x-hub-signature-256".to_owned(), signature(secret, &body)),
            ],
            body,
        }
    }

    /// Returns a header's value; empty if it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v)
    }

    /// Returns the delivery id, X-GitHub-Delivery.
    #[must_use]
    pub fn delivery(&self) -> &str {
        self.header("x-github-delivery")
    }

    /// Returns the webhook with another value of a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns the webhook without a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| n != name);
        self
    }

    /// Sends the webhook.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send(&self, over: &mut Http) -> io::Result<HttpResponse> {
        over.request("POST", PATH, &self.headers, &self.body).await
    }

    /// Sends the webhook over a new connection.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send_to(&self, url: &str) -> io::Result<HttpResponse> {
        self.send(&mut Http::connect(url).await?).await
    }
}

/// Returns the payload of an issue that gets a label.
#[must_use]
pub fn labeled(repository: i64, full_name: &str, number: i64, label: &str) -> Value {
    json!({
        "action": "labeled",
        "label": {"id": 1, "name": label},
        "issue": {
            "id": number, "number": number, "title": format!("Issue {number}"), "state": "open",
            "labels": [{"id": 1, "name": label}], "user": {"login": "octocat", "id": 2, "type": "User"},
            "author_association": "OWNER",
        },
        "repository": {"id": repository, "full_name": full_name, "default_branch": "main"},
        "sender": {"login": "octocat", "id": 2, "type": "User"},
    })
}
