//! The tasks that run beside the calls.
pub(crate) mod delivery_notices;
pub(crate) mod recovery;
pub(crate) mod repair;
pub(crate) mod repository_changes;
pub(crate) mod retention;
