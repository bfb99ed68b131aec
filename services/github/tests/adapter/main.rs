//! The client against a fake GitHub that keeps state and speaks HTTP. The tests assert on the state that results; at
//! the end of each test, every request and response is checked against GitHub's own API description.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod api_description;
mod changed_files;
mod comments;
mod contents;
mod failures;
mod fixture;
mod hook_receiver;
mod hooks;
mod installations;
mod pagination;
mod permissions;
mod rate_limits;
mod secrets;
