//! The renewal of leases: one statement renews the leases of all workers whose heartbeats have gathered, a few times a
//! second at most.
use std::{collections::HashMap, sync::Arc, time::Duration};

use ck8s_types::{InstanceId, WorkerId};
use tokio::sync::mpsc;

use crate::{
    domain::{ServerFrame, StreamEnd},
    engine::{Engine, Heartbeat},
    store::workers,
};

/// How long heartbeats gather. Far below a lease's life; it bounds the database's work to 4 transactions per second,
/// however many workers.
const GATHER_INTERVAL: Duration = Duration::from_millis(250);

/// Renews leases until nobody can send heartbeats any more.
pub(crate) async fn renew_leases(engine: Arc<Engine>, mut rx: mpsc::Receiver<Heartbeat>) {
    while let Some(first) = rx.recv().await {
        let mut heartbeats = HashMap::from([(first.worker.clone(), first)]);
        let gathered = tokio::time::sleep(GATHER_INTERVAL);
        tokio::pin!(gathered);
        loop {
            tokio::select! {
                heartbeat = rx.recv() => match heartbeat {
                    Some(heartbeat) => drop(heartbeats.insert(heartbeat.worker.clone(), heartbeat)),
                    None => break,
                },
                () = &mut gathered => break,
            }
        }
        if let Err(error) = renew(&engine, &heartbeats).await {
            tracing::warn!(%error, workers = heartbeats.len(), "cannot renew leases");
        }
    }
}

async fn renew(engine: &Engine, heartbeats: &HashMap<WorkerId, Heartbeat>) -> sqlx::Result<()> {
    let workers: Vec<(&WorkerId, InstanceId)> = heartbeats
        .values()
        .map(|heartbeat| (&heartbeat.worker, heartbeat.instance))
        .collect();
    let ttl = engine.config.lease_ttl.as_secs_f64();
    let mut conn = engine.connections.renewals.acquire().await?;
    let renewed = workers::renew(&mut conn, engine.replica, &workers, ttl).await?;
    drop(conn);
    let mut refused: HashMap<&WorkerId, &Heartbeat> = heartbeats.iter().collect();
    let mut scheduler = engine.scheduler();
    for (worker, lease_until) in &renewed {
        let Some(heartbeat) = refused.remove(worker) else {
            continue;
        };
        if let Some(session) = scheduler.session_on(worker, heartbeat.stream) {
            session.lease_until = *lease_until;
            session.send(ServerFrame::Renewed {
                sequence: heartbeat.sequence,
                lease_until: *lease_until,
            });
        }
    }
    // Another replica, or another process of the same name, has taken the worker's place.
    for (worker, heartbeat) in refused {
        if let Some(session) = scheduler.session_on(worker, heartbeat.stream) {
            session.close(StreamEnd::Replaced);
        }
    }
    Ok(())
}
