#![doc = include_str!("../README.md")]
mod auth;
mod client_address;
mod config;
mod console;
mod error;
mod probes;
mod rate_limit;
mod request_head;
mod response;
mod router;
mod server;
mod version;
mod webhook;

pub use config::EdgeConfig;
pub use error::EdgeError;
pub use server::{Edge, EdgeDeps};
pub use version::Version;
