#![doc = include_str!("../README.md")]
pub mod channels;
pub mod embedded;
mod error;
pub mod events;
pub mod listen;
mod lock;
pub mod migrate;
mod pool;
pub mod requests;
#[cfg(feature = "test")]
pub mod test;

pub use error::{DbError, is_retryable, is_unavailable};
pub use lock::Lock;
pub use pool::{ServiceRole, connect, connect_owner, connect_writer, ping};
