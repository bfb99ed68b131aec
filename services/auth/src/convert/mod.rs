//! Conversions between the contract's messages and the domain.
mod persons;
mod projects;
mod role;
mod sessions;
mod signing_keys;
mod tokens;
mod users;

pub(crate) use persons::who_am_i;
pub(crate) use projects::project;
pub(crate) use role::role;
