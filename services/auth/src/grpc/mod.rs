//! The methods of AuthService and ProjectsService: each decodes its request, calls the service and encodes the result.
mod auth_service;
mod authentication;
mod call;
mod members;
mod page;
mod project;
mod projects;
mod projects_service;
mod sessions;
mod sign_in;
mod signing_keys;
mod tokens;
mod users;
mod workers;
