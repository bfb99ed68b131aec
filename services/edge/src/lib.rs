#![doc = include_str!("../README.md")]
mod answer;
mod auth;
mod batch;
mod budget;
mod config;
mod console;
mod error;
mod forwarded;
mod info;
mod limit;
mod router;
mod serve;
mod webhook;

pub use config::EdgeConfig;
pub use error::EdgeError;
pub use info::Version;
pub use serve::serve;
