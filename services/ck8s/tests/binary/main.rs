//! The binary for real: `up`, `serve`, `migrate`.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]
#[path = "../../../auth/tests/auth/github.rs"]
#[allow(dead_code, reason = "auth's own tests need more of it")]
mod github;
mod process;
mod serve;
mod sign_in;
mod up;
