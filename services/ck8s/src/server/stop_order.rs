//! How the parts of a server are stopped, one after the other.
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};

/// The stops of a server's parts, in the order in which they are used.
#[derive(Default)]
pub(super) struct Stops {
    /// The public listener is about to close.
    pub(super) leaving: CancellationToken,
    /// How long it still answers then.
    pub(super) linger: Duration,
    /// The public listener and the services' tasks.
    pub(super) edge: Stop,
    /// The mesh listener, which the edges of other processes need until they know that this process stops.
    pub(super) listen: Stop,
    /// The mesh in memory, which all others need until their last call.
    pub(super) memory: Stop,
    /// What watches files.
    pub(super) files: CancellationToken,
}

/// The stop of one part.
#[derive(Default)]
pub(super) struct Stop {
    pub(super) now: CancellationToken,
    pub(super) done: Option<CancellationToken>,
}

impl Stop {
    /// Returns the guard that the part drops when it has ended.
    pub(super) fn part(&mut self) -> DropGuard {
        let done = CancellationToken::new();
        self.done = Some(done.clone());
        done.drop_guard()
    }

    /// Stops the part and waits for its end.
    pub(super) async fn stop(&self) {
        self.now.cancel();
        if let Some(done) = &self.done {
            done.cancelled().await;
        }
    }
}
