#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod authority;
mod certificates;
mod error;
mod files;
mod identity;
mod verify;

pub use authority::{Authority, Issued, Request};
pub use certificates::{Certificates, Peer, Validity};
pub use error::PkiError;
pub use files::{Bundle, write_private, write_public};
pub use identity::Identity;
