//! The methods of the contract, one file each: decode, call the use case, encode.
mod request;
mod server;

mod add_repository;
mod check_repository;
mod get_repository;
mod list_hook_deliveries;
mod list_project_secrets;
mod list_repositories;
mod list_scheduled_repositories;
mod may_write;
mod mend_repository;
mod note_delivery;
mod open_secrets;
mod redeliver_hook_deliveries;
mod remove_repository;
mod reseal;
mod resolve_repositories;
mod rotate_credential;
mod rotate_webhook_secret;
mod set_project_secret;
mod set_secret;
mod update_repository;

pub(crate) use server::RepositoriesServer;
