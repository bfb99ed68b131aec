//! Handles deliveries that are stored but were not handled: after a crash, after a service was away, or when memory was full.
//! Idempotent: a run's id follows from its delivery's, and an outcome is written only once.
use std::time::Duration;

use ck8s_types::{DeliveryId, now_ms};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    error::IngressError, handler::Handler, metrics, peers::repositories::Repositories,
    rehandle::rehandle, store::deliveries,
};

/// Between sweeps.
const PERIOD: Duration = Duration::from_secs(3);
/// Younger ones are probably being handled, here or by another replica.
const AGE_MS: i64 = 5_000;
/// Ids of one look.
const LOOK: i64 = 1_000;
/// Bodies in memory at once; each may be large.
const BATCH: usize = 50;

/// Sweeps on start, periodically and when told, until shutdown.
pub(crate) async fn run(
    pool: PgPool,
    handler: Handler,
    repositories: Repositories,
    shutdown: CancellationToken,
) {
    // What a process before this one left is taken at once, however young: handling twice does no harm.
    let mut age = 0;
    loop {
        match shutdown
            .run_until_cancelled(sweep(&pool, &handler, &repositories, age))
            .await
        {
            None => return,
            Some(Ok(0)) => {}
            Some(Ok(handled)) => tracing::info!(handled, "deliveries were handled late"),
            Some(Err(error)) => tracing::warn!(%error, "deliveries go on waiting"),
        }
        age = AGE_MS;
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
            () = handler.repair_wanted() => {}
        }
    }
}

/// One sweep over all that wait, oldest first. Returns how many were handled.
pub(crate) async fn sweep(
    pool: &PgPool,
    handler: &Handler,
    repositories: &Repositories,
    age_ms: i64,
) -> Result<usize, IngressError> {
    let before = first_of(now_ms() - age_ms + i64::from(age_ms == 0));
    let mut after = DeliveryId::from(Uuid::nil());
    let mut handled = 0;
    loop {
        let ids = {
            let mut conn = pool.acquire().await?;
            deliveries::waiting_ids(&mut conn, after, before, LOOK).await?
        };
        let Some(last) = ids.last() else {
            metrics::repaired(handled);
            return Ok(handled);
        };
        after = *last;
        for batch in handler.idle(ids).chunks(BATCH) {
            let waiting = {
                let mut conn = pool.acquire().await?;
                deliveries::waiting(&mut conn, batch).await?
            };
            handler.begin(batch.iter().copied());
            let done = rehandle(handler, repositories, waiting).await;
            handler.end(batch.iter().copied());
            done?;
            handled += batch.len();
        }
    }
}

/// The lowest id that a delivery of this moment can have.
fn first_of(ms: i64) -> DeliveryId {
    let ms = u128::try_from(ms).unwrap_or(0);
    Uuid::from_u128(ms << 80).into()
}
