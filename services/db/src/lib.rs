#![doc = include_str!("../README.md")]
mod cluster;
pub mod embedded;
mod error;
pub mod events;
pub mod listen;
mod lock;
pub mod migrate;
pub mod notify_channels;
mod pool;
pub mod request_ids;
#[cfg(feature = "test")]
pub mod test;

pub use cluster::adopt_cluster;
pub use error::{DbError, is_retryable, is_unavailable, is_unstorable};
pub use lock::Lock;
pub use pool::{ServiceRole, connect, connect_owner, connect_writer, ping};
