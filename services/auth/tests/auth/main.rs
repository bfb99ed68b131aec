//! AuthService and ProjectsService through the real server: TCP with bearer tokens, the mesh, and a real PostgreSQL.
#![allow(clippy::unwrap_used)]

mod access_tokens;
mod authentication;
mod browser_sign_in;
mod device_sign_in;
mod members;
mod own_tokens;
mod platform_admins;
mod projects;
mod request_ids;
mod server;
mod sessions;
mod sign_in_links;
mod tokens;
mod users;
mod worker_certificates;
