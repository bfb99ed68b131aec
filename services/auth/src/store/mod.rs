//! All SQL of this service: free functions that take a connection. The types of rows stay in here.
pub(crate) mod identities;
pub(crate) mod members;
pub(crate) mod persons;
pub(crate) mod projects;
pub(crate) mod sealed_values;
pub(crate) mod sessions;
pub(crate) mod sign_in_links;
pub(crate) mod sign_ins;
pub(crate) mod signing_keys;
mod sql;
pub(crate) mod tokens;
pub(crate) mod users;
