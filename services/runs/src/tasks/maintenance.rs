//! Maintenance of tables: makes the partitions of the coming months, and drops what is not kept any longer. Every
//! replica may do it.
use std::{sync::Arc, time::Duration};

use crate::{
    engine::Engine,
    store::{label_pools, maintenance, request_ids::REQUESTS, workers},
};

/// The time between two rounds. Partitions are made two months ahead, so that days of trouble do no harm.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(3600);

/// How long workers and sets of labels are kept that nobody uses any more.
const MAX_ABSENCE_DAYS: i32 = 30;
/// The time to the next round where a lock was not to be had: a backup, say, holds all tables for a while.
const RETRY_INTERVAL: Duration = Duration::from_secs(300);

/// Maintains the tables until shutdown.
pub(crate) async fn maintain(engine: Arc<Engine>) {
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = engine.shutdown.cancelled() => return,
        }
        pause = match maintain_once(&engine).await {
            Ok(0) => MAINTENANCE_INTERVAL,
            Ok(_) => RETRY_INTERVAL,
            Err(error) => {
                tracing::warn!(%error, "cannot maintain the tables; trying again soon");
                RETRY_INTERVAL
            }
        };
    }
}

/// Does all that is to be done, each table by itself: one that cannot be maintained now stops none of the others.
/// Returns how many steps failed.
async fn maintain_once(engine: &Engine) -> sqlx::Result<usize> {
    let pool = &engine.pool;
    let mut failed = 0;
    for missing in maintenance::missing_partitions(pool).await? {
        if let Err(error) = maintenance::make_partition(pool, &missing).await {
            tracing::warn!(%error, table = missing.table, month = %missing.month.date(), "cannot make a partition; its rows go to the default one until then");
            failed += 1;
        }
    }
    for partition in maintenance::old_partitions(pool).await? {
        match maintenance::drop_partition(pool, &partition).await {
            Ok(true) => tracing::info!(partition, "dropped: its retention is over"),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, partition, "cannot drop a partition whose retention is over");
                failed += 1;
            }
        }
    }
    let mut conn = pool.acquire().await?;
    REQUESTS.sweep(&mut conn).await?;
    let workers = workers::remove_gone(&mut conn, MAX_ABSENCE_DAYS).await?;
    let pools = label_pools::remove_unused(&mut conn, MAX_ABSENCE_DAYS).await?;
    if workers > 0 || !pools.is_empty() {
        tracing::info!(
            workers,
            pools = pools.len(),
            "removed: nobody has used them for a month"
        );
    }
    engine.scheduler().forget_pools(&pools);
    Ok(failed)
}
