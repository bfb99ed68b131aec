//! Logs, metrics and the private listener of a process. What is measured, each crate says itself (`metrics::counter!` and the like).
mod admin;
mod logs;
mod readiness;

pub use admin::{Admin, AdminError};
pub use logs::{LogError, LogFormat, init_logs};
pub use readiness::Readiness;
