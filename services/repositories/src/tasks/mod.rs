//! The tasks that run beside the calls, each until shutdown. Several replicas may run them: what one takes, no other
//! does.
mod notifications;
mod pending_changes;
mod periodic;
mod reporter;
mod retention;
mod services_files;

pub(crate) use self::{
    notifications::notifications, pending_changes::pending_changes, reporter::Reporter,
    retention::retention, services_files::services_files,
};
