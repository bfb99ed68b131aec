#![doc = include_str!("../README.md")]
mod config;
mod convert;
mod domain;
mod error;
mod grpc;
mod service;
mod start;
mod store;
mod tasks;

pub use config::{ManagedProvider, RepositoriesConfig, RepositoriesDeps};
pub use error::Error;
pub use service::Repositories;
#[cfg(feature = "fuzz")]
pub use service::read_services;
