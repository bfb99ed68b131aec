//! Drops what nobody needs any more: answered requests, and keys of deliveries that went with their partition.
use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::store::requests;

/// Between rounds; one round reads the keys' table once.
const PERIOD: Duration = Duration::from_secs(12 * 3_600);
/// Not while everything starts.
const FIRST: Duration = Duration::from_secs(600);

/// Goes its rounds until shutdown.
pub(crate) async fn run(pool: PgPool, shutdown: CancellationToken) {
    let mut pause = FIRST;
    while shutdown
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        pause = PERIOD;
        match round(&pool).await {
            Ok((requests, keys)) => tracing::debug!(requests, keys, "forgotten"),
            Err(error) => tracing::warn!(%error, "the inbox was not tidied"),
        }
    }
}

async fn round(pool: &PgPool) -> sqlx::Result<(u64, u64)> {
    let mut conn = pool.acquire().await?;
    Ok((
        requests::forget(&mut conn).await?,
        requests::forget_keys(&mut conn).await?,
    ))
}
