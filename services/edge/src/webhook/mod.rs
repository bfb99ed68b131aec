//! `POST /api/v1/webhooks/github`: from the HTTP request to the outcome of the webhook.
mod body;
mod endpoint;
mod headers;
mod ingress_client;
mod memory_budget;

pub(crate) use self::{endpoint::WebhookEndpoint, ingress_client::IngressClient};
