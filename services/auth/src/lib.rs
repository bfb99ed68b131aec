#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod convert;
mod domain;
mod error;
mod grpc;
mod provider;
mod service;
mod store;
mod upkeep;

pub use config::{LONGEST_ACCESS, ProviderConfig, SignInConfig};
pub use error::{AuthError, SignInError};
pub use service::{Auth, Granted};
