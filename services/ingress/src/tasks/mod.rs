//! The background tasks of the service.
pub(crate) mod delivery_notices;
pub(crate) mod recovery;
pub(crate) mod repository_changes;
pub(crate) mod retention;
pub(crate) mod schedules;
pub(crate) mod unprocessed_deliveries;
