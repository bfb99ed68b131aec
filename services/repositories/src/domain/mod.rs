//! The service's types and pure decisions: no SQL, no wire types, no waiting.
pub(crate) mod caller;
pub(crate) mod fields;
pub(crate) mod finding;
pub(crate) mod hook_delivery;
pub(crate) mod pending_change;
pub(crate) mod report;
pub(crate) mod repository;
pub(crate) mod run_secret;
pub(crate) mod sealed_row;
pub(crate) mod services_yaml;
mod timestamps;
