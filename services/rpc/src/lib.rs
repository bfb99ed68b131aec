//! What every gRPC server and client of ck8s shares: who calls (`caller`), what they may (`policy`), how errors look (`status`),
//! pages (`page`), conversions of shared messages (`convert`), and the mesh between roles.
pub mod caller;
pub mod convert;
pub mod page;
pub mod status;

pub use caller::Caller;
