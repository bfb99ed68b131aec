//! Deletes what nobody needs any more: answered requests, the keys of deliveries that went with their partition, and
//! missing deliveries whose search is over.
use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::store::{delivery_keys, missing_deliveries, request_ids::REQUESTS};

/// The pause between rounds: one round reads the keys' table once.
const RETENTION_INTERVAL: Duration = Duration::from_secs(12 * 3_600);
/// The pause before the first round, so that it does not run while everything starts.
const START_DELAY: Duration = Duration::from_secs(600);

/// What one round deleted.
struct RetentionOutcome {
    requests: u64,
    keys: u64,
    missing: u64,
}

/// Runs rounds until shutdown.
pub(crate) async fn run(pool: PgPool, shutdown: CancellationToken) {
    let mut pause = START_DELAY;
    while shutdown
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        pause = RETENTION_INTERVAL;
        match delete_old(&pool).await {
            Ok(RetentionOutcome {
                requests,
                keys,
                missing,
            }) => {
                tracing::debug!(requests, keys, missing, "old rows were deleted");
            }
            Err(error) => tracing::warn!(%error, "old rows were not deleted"),
        }
    }
}

async fn delete_old(pool: &PgPool) -> sqlx::Result<RetentionOutcome> {
    let mut conn = pool.acquire().await?;
    Ok(RetentionOutcome {
        requests: REQUESTS.sweep(&mut conn).await?,
        keys: delivery_keys::delete_old(&mut conn).await?,
        missing: missing_deliveries::delete_old(&mut conn).await?,
    })
}
