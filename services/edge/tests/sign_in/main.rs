//! Sign-in over HTTP: the public listener, the real auth service, a provider that speaks HTTP.
#![allow(clippy::unwrap_used)]

#[path = "../../../auth/tests/auth/github.rs"]
#[allow(dead_code, reason = "auth's own tests need more of it")]
mod github;
mod limits;
mod scripts;
mod web;
mod world;
