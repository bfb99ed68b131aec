//! Scenarios across services. Each file has one subject; each test has a world of its own.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod access_matrix;
mod apps;
mod attacks;
mod bad_input;
mod crash;
mod duplicates;
mod fairness;
mod keys;
mod kubernetes;
mod lease_protocol;
mod logs;
mod mesh;
mod payloads;
mod people;
mod provider_crash;
mod recovery;
mod replicas;
mod repo_cli;
mod reporting;
mod repositories;
mod runs;
mod secrets;
mod sign_in;
mod smoke;
mod stale;
