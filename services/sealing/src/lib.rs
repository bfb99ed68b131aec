#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]
mod error;
mod key_ring;

pub use error::{KeyRingError, OpenError, SealError};
pub use key_ring::{AuthenticationCodes, KeyRing, Sealed};
