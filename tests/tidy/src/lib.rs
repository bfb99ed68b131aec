#![doc = include_str!("../README.md")]
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that unwraps fails where it should"
)]
pub mod paths;
pub mod sources;
