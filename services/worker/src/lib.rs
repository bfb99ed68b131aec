#![doc = include_str!("../README.md")]
mod config;
mod connection;
mod context;
mod convert;
mod domain;
mod error;
mod executor;
mod lease;
mod lease_task;
mod log;
mod tasks;
mod worker;

pub use ck8s_kube::EgressCeiling;
pub use config::{Credential, DEFAULT_NAMESPACE_PREFIX, ExecutorConfig, WorkerConfig};
pub use connection::ConnectionState;
pub use domain::{
    Exit, InvalidLogPosition, LogItem, LogPosition, LogSink, Moment, StoredLog, WorkloadEvent,
    WorkloadId, WorkloadRequest, log_channel,
};
pub use error::{ExecutorError, WorkerError};
pub use executor::{Executor, KubernetesExecutor, ProcessExecutor, Workload, process_guard_main};
pub use worker::Worker;
