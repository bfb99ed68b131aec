#![doc = include_str!("../README.md")]
mod config;
mod convert;
mod domain;
mod error;
mod grpc;
mod metrics;
mod peers;
mod pipeline;
mod service;
mod start;
mod store;
mod tasks;

pub use config::IngressConfig;
#[cfg(feature = "fuzz")]
pub use pipeline::reading::{PayloadReading, WebhookReading, read_webhook};
pub use start::{Ingress, IngressDeps};
