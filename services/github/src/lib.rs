#![doc = include_str!("../README.md")]

mod auth_token;
mod changed_files;
mod client;
mod comments;
mod config;
mod contents;
mod credential_state;
mod hook_deliveries;
mod hooks;
mod installation_tokens;
mod models;
mod operations;
mod pagination;
mod path;
mod permission_check;
mod permissions;
mod provider;
mod pull_requests;
mod rate_limit;
mod repositories;
mod request;
mod response;
mod send;
mod statuses;
mod throttle;
mod transport;
mod users;

pub use client::GitHub;
pub use config::GitHubConfig;
pub use hooks::HOOK_EVENTS;
