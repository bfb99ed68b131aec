//! What every gRPC server and client of ck8s shares: who calls (`caller`, `identify`), what they may (`policy`, `access`), the layer that
//! holds it (`guard`), how errors look (`status`), pages (`page`), how often somebody may ask (`rate`), conversions of shared messages (`convert`), the mesh between
//! roles (`mesh`) and what every server serves (`server`).
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod access;
pub mod caller;
pub mod convert;
pub mod guard;
pub mod identify;
pub mod mesh;
pub mod page;
pub mod policy;
pub mod rate;
pub mod server;
pub mod status;

pub use caller::Caller;
