//! The state that all handlers share, and the path of the API.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::world::GitHubWorld;

/// The path of the API below the base address, as on a GitHub Enterprise Server.
pub(crate) const API: &str = "/api/v3";

/// The state that all handlers share.
pub(crate) type Shared = Arc<Mutex<GitHubWorld>>;

/// Locks the state, even if a test panicked while it held the lock.
pub(crate) fn lock(world: &Shared) -> MutexGuard<'_, GitHubWorld> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
