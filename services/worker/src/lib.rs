#![doc = include_str!("../README.md")]
mod backoff;
mod config;
mod connection;
mod error;
mod executor;
mod lease;
mod log;
mod order;
mod renew;
mod sweep;
mod task;
mod worker;

pub use config::{
    Connected, Credential, DEFAULT_NAMESPACE_PREFIX, ExecutorConfig, LogSettings, WorkerConfig,
};
pub use error::WorkerError;
pub use executor::kubernetes::KubernetesExecutor;
pub use executor::process::{ProcessExecutor, process_guard_main};
pub use executor::{Event, Executor, Exit, Order, StartError, Target, Workload};
pub use log::{LogItem, LogSink, log_channel};
pub use worker::run;
