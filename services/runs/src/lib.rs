#![doc = include_str!("../README.md")]
mod config;
mod convert;
mod domain;
mod engine;
mod error;
mod grpc;
mod store;

pub use config::{RunTokenKey, RunsConfig};
pub use error::RunsError;
pub use grpc::Runs;
