//! All SQL of the service; rows do not leave it.
pub mod credentials;
pub mod remote;
pub mod reports;
pub mod repositories;
pub mod requests;
pub mod sealed;
pub mod secrets;
pub mod webhook_secrets;
pub mod works;
