//! The state that all handlers share, and the path of the API.
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::world::GitHubWorld;

/// The path of the API below the base address, as on a GitHub Enterprise Server.
pub(crate) const API: &str = "/api/v3";

/// The state that all handlers share.
pub(crate) type Shared = Arc<Mutex<GitHubWorld>>;

/// Locks the state. A test that panicked while it held the lock does not hinder the others.
pub(crate) fn lock(world: &Shared) -> MutexGuard<'_, GitHubWorld> {
    world.lock()
}
