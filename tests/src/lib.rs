//! What the scenarios share: the real program on a database of its own, clients of its contract, a worker that a test
//! drives by hand. No scenario lives here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // this crate is tests alone

pub mod api;
pub mod browser;
pub mod cli;
pub mod database;
pub mod fleet;
pub mod github;
pub mod http;
pub mod manual_worker;
pub mod people;
pub mod program;
pub mod wait;
pub mod webhook;
pub mod world;

pub use api::{Api, ended, script};
pub use browser::{Browser, Page};
pub use cli::{Cli, CommandOutput};
pub use fleet::Fleet;
pub use github::{Account, Fault, GitHub, GitHubWorld};
pub use http::{Http, HttpResponse};
pub use manual_worker::{ManualWorker, TransitionOutcome};
pub use people::{Person, person};
pub use wait::{WAIT_TIMEOUT, until};
pub use webhook::{Webhook, labeled};
pub use world::{Node, Setup, World};

/// Returns a new id.
#[must_use]
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
