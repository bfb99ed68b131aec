//! The writer of heartbeats: many workers' leases are renewed by one statement, a few times a second at most.
use std::{collections::HashMap, sync::Arc, time::Duration};

use ck8s_proto::runs::v1::{Renewed, lease_response::Frame};
use ck8s_rpc::{convert::timestamp, status};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Engine;
use crate::store::workers;

/// How long heartbeats gather. Far below a lease's life; bounds the database's work to 4 transactions per second, however many workers.
const GATHER: Duration = Duration::from_millis(250);

/// A worker's heartbeat.
pub struct Beat {
    pub worker: String,
    pub instance: Uuid,
    pub session: u64,
    pub sequence: i64,
}

/// Runs until shutdown.
pub async fn run(engine: Arc<Engine>, mut rx: mpsc::Receiver<Beat>) {
    while let Some(first) = rx.recv().await {
        let mut beats = HashMap::from([(first.worker.clone(), first)]);
        let gathered = tokio::time::sleep(GATHER);
        tokio::pin!(gathered);
        loop {
            tokio::select! {
                beat = rx.recv() => match beat {
                    Some(beat) => drop(beats.insert(beat.worker.clone(), beat)),
                    None => break,
                },
                () = &mut gathered => break,
            }
        }
        if let Err(error) = write(&engine, &beats).await {
            tracing::warn!(%error, workers = beats.len(), "cannot renew leases");
        }
    }
}

async fn write(engine: &Engine, beats: &HashMap<String, Beat>) -> sqlx::Result<()> {
    let workers: Vec<(String, Uuid)> = beats
        .values()
        .map(|b| (b.worker.clone(), b.instance))
        .collect();
    let ttl = engine.config.lease_ttl.as_secs_f64();
    let renewed = workers::renew(
        &mut *engine.pool.acquire().await?,
        engine.replica,
        &workers,
        ttl,
    )
    .await?;
    let mut left: HashMap<&str, &Beat> = beats.iter().map(|(w, b)| (w.as_str(), b)).collect();
    let mut board = engine.board();
    for (worker, lease_until) in &renewed {
        let Some(beat) = left.remove(worker.as_str()) else {
            continue;
        };
        if let Some(session) = board.session(worker).filter(|s| s.id == beat.session) {
            session.lease_until = *lease_until;
            session.send(Frame::Renewed(Renewed {
                sequence: beat.sequence,
                lease_until: Some(timestamp(*lease_until)),
            }));
        }
    }
    // Another replica, or another process of the same name, has taken the worker's place.
    for beat in left.into_values() {
        if let Some(session) = board.session(&beat.worker).filter(|s| s.id == beat.session) {
            session.close(status::aborted(
                "REPLACED",
                "this worker holds a newer stream",
            ));
        }
    }
    Ok(())
}
