//! The use cases, one file each, and what several of them share.
mod access;
mod background;
mod credentials;
mod events;
mod findings;
mod hook;
mod pending_changes;
mod provider;
mod repeated_calls;
mod report;
mod repositories;
mod services_file;
mod webhook_secrets;
mod write_access;

mod add;
mod add_managed;
mod check;
mod delete_old;
mod get_repository;
mod hook_deliveries;
mod list_repositories;
mod list_scheduled;
mod may_write;
mod mend;
mod note_delivery;
mod open_secrets;
mod project_secrets;
mod redeliver;
mod remove;
mod reseal;
mod resolve;
mod rotate_credential;
mod rotate_webhook_secret;
#[cfg(feature = "fuzz")]
mod services_reading;
mod set_secret;
mod update;
mod verify_key_ring;

pub use self::repositories::Repositories;
#[cfg(feature = "fuzz")]
pub use self::services_reading::read_services;
pub(crate) use self::{
    add::AddRepository, delete_old::DeletedRows, may_write::ProviderUser,
    open_secrets::OpenSecrets, pending_changes::RecoveryOutcome, project_secrets::SetProjectSecret,
    provider::Provider, report::ReportingOutcome, rotate_webhook_secret::RotateWebhookSecret,
    services_file::SyncOutcome, set_secret::SetSecret, update::UpdateRepository,
};
