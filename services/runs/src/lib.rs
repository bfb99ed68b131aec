#![doc = include_str!("../README.md")]
mod config;
mod convert;
mod domain;
mod engine;
mod error;
mod grpc;
mod peers;
mod service;
mod start;
mod store;
mod tasks;

pub use config::{RunTokenKey, RunsConfig};
pub use error::RunsError;
pub use start::{Runs, RunsDeps};
