//! What the scenarios share: the real program on a database of its own, clients of its contract, a worker that a test drives by hand.
//! No scenario lives here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // this crate is tests alone

pub mod api;
pub mod browser;
pub mod cli;
pub mod database;
pub mod fleet;
pub mod github;
pub mod hand;
pub mod http;
pub mod people;
pub mod program;
pub mod wait;
pub mod webhook;
pub mod world;

pub use api::{Api, script};
pub use browser::{Browser, Page};
pub use cli::{Cli, Said};
pub use fleet::Fleet;
pub use github::{Account, Fault, GitHub, GitHubWorld};
pub use hand::{Hand, Told};
pub use http::{Answer, Http};
pub use people::{Person, person};
pub use wait::{PATIENCE, until};
pub use webhook::{Webhook, labeled};
pub use world::{Node, Setup, World};

/// Another id with each call.
#[must_use]
pub fn fresh() -> String {
    uuid::Uuid::now_v7().to_string()
}
