//! services.yaml of a repository: read at the provider, parsed once per text.
mod cache;
mod repository_changes;
mod single_flight;
mod sync;
mod sync_due;

pub(super) use cache::ServicesCache;
pub(super) use single_flight::SingleFlight;
pub(crate) use sync_due::SyncOutcome;
