#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod convert;
mod domain;
mod error;
mod grpc;
mod service;
mod store;
mod upkeep;

pub use error::AuthError;
pub use service::{AdminBootstrap, Auth};
