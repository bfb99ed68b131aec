#![doc = include_str!("../README.md")]
mod convert;
mod domain;
mod error;
mod grpc;
mod service;
mod store;
mod tasks;

pub use domain::services_yaml;
pub use error::Error;
pub use service::{LookAfter, Repositories};
