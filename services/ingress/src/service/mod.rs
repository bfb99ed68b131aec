//! The use cases: people list, get and replay deliveries; tasks process stored deliveries again and recover missing
//! ones.
pub(crate) mod deliveries;
pub(crate) mod fire_schedules;
mod get_delivery;
mod list_deliveries;
pub(crate) mod recover_deliveries;
pub(crate) mod replay_delivery;
pub(crate) mod reprocess;
