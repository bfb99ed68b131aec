//! Scenarios across services. Each file has one subject; each test has a world of its own.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod duplicates;
mod lease_protocol;
mod stale;
