#![doc = include_str!("../README.md")]
mod config;
mod convert;
mod domain;
mod error;
mod grpc;
mod handler;
mod ingest;
mod metrics;
mod peers;
mod rehandle;
mod service;
mod start;
mod store;
mod tasks;
mod writer;

pub use config::IngressConfig;
pub use start::Ingress;
