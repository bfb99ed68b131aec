//! Maintenance of tables: makes the partitions of the coming months, and drops what is not kept any longer. Every
//! replica may do it.
use std::{sync::Arc, time::Duration};

use crate::{
    engine::Engine,
    store::{maintenance, request_ids::REQUESTS},
};

/// The time between two rounds. Partitions are made two months ahead, so that days of trouble do no harm.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(3600);

/// Maintains the tables until shutdown.
pub(crate) async fn maintain(engine: Arc<Engine>) {
    let mut tick = tokio::time::interval(MAINTENANCE_INTERVAL);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = engine.shutdown.cancelled() => return,
        }
        if let Err(error) = maintain_once(&engine).await {
            tracing::warn!(%error, "cannot maintain partitions; trying again within the hour");
        }
    }
}

async fn maintain_once(engine: &Engine) -> sqlx::Result<()> {
    maintenance::ensure_partitions(&engine.pool).await?;
    for partition in maintenance::drop_old_partitions(&engine.pool).await? {
        tracing::info!(partition, "dropped: its retention is over");
    }
    let mut conn = engine.pool.acquire().await?;
    REQUESTS.sweep(&mut conn).await.map(drop)
}
