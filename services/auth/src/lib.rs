#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod convert;
mod domain;
mod error;
mod grpc;
mod oauth;
mod service;
mod start;
mod store;
mod tasks;

pub use config::{AuthConfig, CertificateConfig, OAuthConfig, SignInConfig};
pub use error::{AuthError, SignInError, StartError};
#[cfg(feature = "fuzz")]
pub use service::{AccessTokenReading, read_access_token};
pub use service::{AdminGrant, Auth, Bootstrap};
