//! AuthService and ProjectsService through the real server: TCP with bearers, the mesh, and a real PostgreSQL.
#![allow(clippy::unwrap_used)]

mod access;
mod access_tokens;
mod admins;
mod device;
mod github;
mod join;
mod links;
mod members;
mod own_tokens;
mod projects;
mod server;
mod sessions;
mod sign_in;
mod tokens;
mod users;
