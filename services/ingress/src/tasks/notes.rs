//! Tells the repositories service of deliveries that its own state depends on, after their commit and beside their handling.
use tokio::sync::mpsc;

use crate::peers::provider::{Note, Provider};

/// What may wait to be told; more is found out without.
pub(crate) const QUEUE: usize = 256;

/// Tells until nobody can tell any more.
pub(crate) async fn run(provider: Provider, mut notes: mpsc::Receiver<Note>) {
    while let Some(note) = notes.recv().await {
        if let Err(status) = provider.note(note).await {
            tracing::debug!(code = ?status.code(), "a delivery was not told of");
        }
    }
}
