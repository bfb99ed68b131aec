//! Executors: what runs workloads. There are two, and no third is added without need.
mod connect;
mod contract;
mod kubernetes;
mod process;
mod workload;

pub(crate) use connect::connect;
pub use contract::Executor;
pub use kubernetes::KubernetesExecutor;
pub use process::{ProcessExecutor, process_guard_main};
pub use workload::Workload;
