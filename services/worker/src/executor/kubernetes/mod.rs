//! Workloads as Jobs in a Kubernetes cluster. They outlive the worker and are adopted.
mod executor;
mod job_watch;
mod pod_log;
mod start_delay;

pub use executor::KubernetesExecutor;
