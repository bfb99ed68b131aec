//! Wake-ups for the other replicas. They gather for a few milliseconds and go in one NOTIFY outside the transactions
//! that they tell of, so that no commit queues for NOTIFY's lock.
use std::{sync::Arc, time::Duration};

use ck8s_batch::Batches;
use tokio::sync::mpsc;

use super::replica_message::ReplicaMessage;
use crate::{
    engine::{Engine, ReplicaNotice},
    store::replicas,
};

/// How long wake-ups gather: it bounds NOTIFY to 100 per second.
const GATHER_INTERVAL: Duration = Duration::from_millis(10);
/// Notices that are taken from the queue at once: it bounds the memory of one message.
const MAX_BATCH_NOTICES: usize = 4096;

/// Sends what gathers until shutdown.
pub(crate) async fn notify_replicas(
    engine: Arc<Engine>,
    notices: mpsc::UnboundedReceiver<ReplicaNotice>,
) {
    let mut batches = Batches::new(notices, MAX_BATCH_NOTICES).gathering(GATHER_INTERVAL);
    loop {
        let batch = tokio::select! {
            batch = batches.next() => batch,
            () = engine.shutdown.cancelled() => return,
        };
        let Some(notices) = batch else { return };
        let message = ReplicaMessage::of(engine.replica, notices.drain(..));
        let Ok(text) = serde_json::to_string(&message) else {
            continue;
        };
        if let Err(error) = replicas::notify(&engine.pool, &text).await {
            tracing::debug!(%error, "cannot wake other replicas; they sweep");
        }
    }
}
