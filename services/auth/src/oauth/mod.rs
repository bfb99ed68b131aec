//! The OAuth client of GitHub: the web flow with PKCE (RFC 7636), the device flow (RFC 8628), and the two API calls
//! that identify a person. An access token of GitHub never leaves this module's callers and is stored nowhere.
mod client;
mod http;
mod responses;

pub(crate) use client::{DevicePollOutcome, OAuthClient, refusal};
