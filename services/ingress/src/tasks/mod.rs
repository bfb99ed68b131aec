//! What runs beside the calls.
pub(crate) mod changes;
pub(crate) mod notes;
pub(crate) mod recovery;
pub(crate) mod repair;
pub(crate) mod retention;
