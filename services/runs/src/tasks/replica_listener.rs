//! The listener for the wake-ups of other replicas.
use std::sync::Arc;

use ck8s_db::listen::{Listener, Wake};

use super::{lane_sweep, replica_message::ReplicaMessage, worker_session_sync};
use crate::{engine::Engine, error::RunsError};

/// Follows the wake-ups of other replicas until shutdown.
pub(crate) async fn listen_to_replicas(engine: Arc<Engine>, mut listener: Listener) {
    loop {
        let wake = tokio::select! {
            wake = listener.next() => wake,
            () = engine.shutdown.cancelled() => return,
        };
        let message = match wake {
            Wake::Reconnected => ReplicaMessage::everything(ck8s_types::ReplicaId::new()),
            Wake::Notified { payload, .. } => match serde_json::from_str(&payload) {
                Ok(message) => message,
                Err(_) => continue,
            },
        };
        if message.from != engine.replica {
            follow(&engine, message).await;
        }
    }
}

/// Takes over what happened at another replica.
async fn follow(engine: &Engine, message: ReplicaMessage) {
    let mut sweep = message.all;
    {
        let mut scheduler = engine.scheduler();
        if message.all {
            scheduler.slots.clear();
        }
        for run in message.queued() {
            sweep |= !scheduler.knows_pool(run.lane.pool);
            scheduler.run_queued(run);
        }
        for project in &message.freed {
            scheduler.slots_may_be_free(*project);
        }
        for project in &message.slots {
            scheduler.slots_changed(*project);
        }
    }
    let done = async {
        if sweep {
            lane_sweep::open_ready_lanes(engine).await?;
        }
        for worker in &message.cancel {
            worker_session_sync::cancel_ended_runs(engine, worker).await?;
        }
        Ok::<_, RunsError>(())
    };
    if let Err(error) = done.await {
        tracing::debug!(%error, "cannot follow a wake-up; the sweep does");
    }
    engine.wake_dispatcher();
    engine.feed.wake();
}
