//! Clients of the other services: repositories, which knows repositories and asks their providers, and runs, which
//! creates the runs.
mod batch_cache;
pub(crate) mod delivery_notices;
pub(crate) mod hook_deliveries;
pub(crate) mod repositories;
pub(crate) mod runs;
pub(crate) mod scheduled_repositories;
mod unavailable;
pub(crate) mod write_access;
