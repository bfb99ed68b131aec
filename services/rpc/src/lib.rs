#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod caller;
pub mod convert;
mod deadline;
pub mod guard;
pub mod identify;
pub mod mesh;
pub mod page;
pub mod policy;
pub mod project_access;
pub mod rate;
pub mod server;
pub mod status;

pub use caller::{Caller, ClientAddress};
