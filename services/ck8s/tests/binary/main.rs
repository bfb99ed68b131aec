//! The binary for real: `up`, `serve`, `migrate`.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
mod process;
mod serve;
mod sign_in;
mod up;
