//! A fake GitHub that keeps state and speaks HTTP as GitHub does. Tests arrange its world, switch faults on, and look
//! at the state that results.
mod accounts;
mod api;
mod authorize;
mod control;
mod deliver;
mod device;
mod fault_injection;
mod fault_types;
mod oauth;
mod quota;
mod random;
mod repository;
mod requests;
mod response;
mod server;
mod shared;
#[cfg(test)]
mod tests;
mod token;
mod tokens;
mod web;
mod world;

pub use accounts::{Account, App, Email};
pub use fault_types::{Fault, Moment};
pub use repository::{Attempt, Comment, Hook, PullRequest, Repository, Status};
pub use requests::{Call, Exchange};
pub use server::GitHub;
pub use token::Installation;
pub use world::GitHubWorld;

pub(crate) use shared::{API, Shared, lock};
