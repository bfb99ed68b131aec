//! A webhook as the edge received it, and the outcome that the edge is told.
use bytes::Bytes;

use super::rejection::Rejection;

/// A webhook as the edge received it.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    /// The provider's name: `github`.
    pub(crate) provider: String,
    /// The header X-GitHub-Event.
    pub(crate) event: String,
    /// The header X-GitHub-Delivery: the provider's id of the delivery.
    pub(crate) delivery_key: String,
    /// The header X-Hub-Signature-256; empty if it is missing.
    pub(crate) signature: String,
    /// The raw body.
    pub(crate) body: Bytes,
}

/// How a webhook ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WebhookOutcome {
    /// It is stored now.
    Accepted,
    /// It was stored before.
    Duplicate,
    /// It is not stored.
    Rejected(Rejection),
}
