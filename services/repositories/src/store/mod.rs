//! All SQL of the service; its rows do not leave it.
pub(crate) mod credentials;
pub(crate) mod pending_changes;
pub(crate) mod project_secrets;
pub(crate) mod provider_state;
pub(crate) mod removal;
pub(crate) mod reports;
pub(crate) mod repositories;
pub(crate) mod sealed_values;
pub(crate) mod secrets;
pub(crate) mod webhook_secrets;

#[cfg(test)]
mod tests;
