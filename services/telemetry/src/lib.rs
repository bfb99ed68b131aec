#![doc = include_str!("../README.md")]
mod admin;
mod connections;
mod logs;
mod readiness;

pub use admin::{Admin, AdminError};
pub use logs::{LogError, LogFormat, init_logs};
pub use readiness::Readiness;
