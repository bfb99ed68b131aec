//! Partitions: those of the coming months are made ahead, those whose time is over are dropped. Every replica may do it.
use std::{sync::Arc, time::Duration};

use super::Engine;

/// How often. A partition is made two months ahead, so that days of trouble do no harm.
const EVERY: Duration = Duration::from_secs(3600);

/// Runs until shutdown.
pub async fn run(engine: Arc<Engine>) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = engine.shutdown.cancelled() => return,
        }
        if let Err(error) = maintain(&engine).await {
            tracing::warn!(%error, "cannot maintain partitions; trying again within the hour");
        }
    }
}

async fn maintain(engine: &Engine) -> sqlx::Result<()> {
    sqlx::query!("SELECT ck8s.ensure_partitions(2)")
        .fetch_one(&engine.pool)
        .await?;
    let dropped = sqlx::query_scalar!("SELECT ck8s.drop_old_partitions()")
        .fetch_all(&engine.pool)
        .await?;
    for partition in dropped.into_iter().flatten() {
        tracing::info!(partition, "dropped: its retention is over");
    }
    sqlx::query!("DELETE FROM runs.requests WHERE created_at < now() - interval '7 days'")
        .execute(&engine.pool)
        .await?;
    Ok(())
}
