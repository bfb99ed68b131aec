//! Repairs: handles deliveries that are stored but were not handled, after a crash, after a service was unavailable, or
//! when memory was full. Idempotent: a run's id follows from its delivery's, and an outcome is written only once.
use std::time::Duration;

use ck8s_types::{DeliveryId, now_ms};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    error::IngressError,
    metrics,
    pipeline::{in_flight::InFlight, repair_queue::RepairQueue},
    service::reprocess::Reprocessor,
    store::waiting,
};

/// The pause between sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3);
/// The age from which a sweep handles a delivery, in milliseconds: younger ones are probably being handled, here or by
/// another replica.
const MIN_AGE_MS: i64 = 5_000;
/// Bounds the ids that a sweep reads at once.
const MAX_SWEEP_IDS: i64 = 1_000;
/// Bounds the deliveries that are handled together.
const MAX_BATCH_DELIVERIES: usize = 100;
/// Bounds the raw bodies in memory at once.
const MAX_BODY_BYTES: i64 = 32 * 1024 * 1024;
/// After so many failures in a row, a service that everything needs is unavailable: the rest waits for the next sweep.
const MAX_FAILURES_IN_A_ROW: usize = 3;

/// How many deliveries wait no longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Repaired(usize);

/// The repair task.
pub(crate) struct Repair {
    pool: PgPool,
    reprocessor: Reprocessor,
    in_flight: InFlight,
    queue: RepairQueue,
    /// Where the last sweep gave up. The next one goes on there, so that deliveries that always fail do not hold up the
    /// rest.
    after: DeliveryId,
}

impl Repair {
    pub(crate) fn new(
        pool: PgPool,
        reprocessor: Reprocessor,
        in_flight: InFlight,
        queue: RepairQueue,
    ) -> Self {
        Self {
            pool,
            reprocessor,
            in_flight,
            queue,
            after: Uuid::nil().into(),
        }
    }

    /// Sweeps on start and periodically, and handles at once what is queued for repair. Until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let repairing = async {
            // What an earlier process left is handled at once, however young: handling twice does no harm.
            let mut min_age_ms = 0;
            loop {
                log(self.sweep(min_age_ms).await);
                min_age_ms = MIN_AGE_MS;
                let next = tokio::time::Instant::now() + SWEEP_INTERVAL;
                while let Ok(queued) = tokio::time::timeout_at(next, self.queue.take()).await {
                    let mut queued = self.in_flight.idle(queued);
                    queued.sort_unstable();
                    log(self.repair(&queued).await);
                }
            }
        };
        shutdown.run_until_cancelled(repairing).await;
    }

    /// Handles all deliveries that wait, oldest first.
    async fn sweep(&mut self, min_age_ms: i64) -> Result<Repaired, IngressError> {
        let before = lowest_id_at(now_ms() - min_age_ms + i64::from(min_age_ms == 0));
        let mut handled = 0;
        loop {
            let ids = {
                let mut conn = self.pool.acquire().await?;
                waiting::ids(&mut conn, self.after, before, MAX_SWEEP_IDS).await?
            };
            let Some(last) = ids.last().copied() else {
                self.after = Uuid::nil().into();
                metrics::repaired(handled);
                return Ok(Repaired(handled));
            };
            let idle = self.in_flight.idle(ids);
            handled += self.repair(&idle).await?.0;
            self.after = last;
        }
    }

    /// Handles those of these that still wait. A delivery that fails hinders no other, unless all fail.
    async fn repair(&mut self, ids: &[DeliveryId]) -> Result<Repaired, IngressError> {
        let (mut failures, mut handled) = (0, 0);
        for batch in ids.chunks(MAX_BATCH_DELIVERIES) {
            let error = match self.reprocess(batch).await {
                Ok(Repaired(some)) => {
                    (failures, handled) = (0, handled + some);
                    continue;
                }
                Err(error) => error,
            };
            tracing::debug!(%error, "a batch goes on waiting; its deliveries are handled one by one");
            for id in batch {
                match self.reprocess(std::slice::from_ref(id)).await {
                    Ok(Repaired(some)) => (failures, handled) = (0, handled + some),
                    Err(_) if failures + 1 < MAX_FAILURES_IN_A_ROW => failures += 1,
                    Err(error) => {
                        self.after = *id;
                        return Err(error);
                    }
                }
            }
        }
        Ok(Repaired(handled))
    }

    /// Handles these, sorted by id, in pieces that fit the memory.
    async fn reprocess(&self, mut ids: &[DeliveryId]) -> Result<Repaired, IngressError> {
        let mut handled = 0;
        while !ids.is_empty() {
            let waiting = {
                let mut conn = self.pool.acquire().await?;
                waiting::load(&mut conn, ids, MAX_BODY_BYTES).await?
            };
            let Some(last) = waiting.last().map(|delivery| delivery.id) else {
                break;
            };
            let (piece, rest) = ids.split_at(ids.partition_point(|id| *id <= last));
            self.in_flight.begin(piece.iter().copied());
            let reprocessed = self.reprocessor.reprocess(waiting).await;
            self.in_flight.end(piece.iter().copied());
            handled += reprocessed?;
            ids = rest;
        }
        Ok(Repaired(handled))
    }
}

fn log(repaired: Result<Repaired, IngressError>) {
    match repaired {
        Ok(Repaired(0)) => {}
        Ok(Repaired(handled)) => tracing::info!(handled, "deliveries were handled late"),
        Err(error) => tracing::warn!(%error, "deliveries go on waiting"),
    }
}

/// Returns the lowest id that a delivery of this millisecond can have.
fn lowest_id_at(ms: i64) -> DeliveryId {
    let ms = u128::try_from(ms).unwrap_or(0);
    Uuid::from_u128(ms << 80).into()
}
