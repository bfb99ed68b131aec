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
/// Deliveries of one round.
const BATCH: usize = 100;
/// Their bodies in memory at once.
const BYTES: i64 = 32 * 1024 * 1024;

/// After so many failures in a row whoever is needed is away: the rest waits for the next sweep.
const FAILURES: usize = 3;

/// What repair works with.
pub(crate) struct Repair {
    pool: PgPool,
    handler: Handler,
    repositories: Repositories,
    /// Where the last sweep gave up; the next one goes on there, so that nothing that always fails stands before the rest.
    after: DeliveryId,
}

impl Repair {
    pub(crate) fn new(pool: PgPool, handler: Handler, repositories: Repositories) -> Self {
        Self {
            pool,
            handler,
            repositories,
            after: Uuid::nil().into(),
        }
    }

    /// Sweeps on start and periodically; takes up at once what it is told to. Until shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let repairing = async {
            // What a process before this one left is taken at once, however young: handling twice does no harm.
            let mut age = 0;
            loop {
                tell(self.sweep(age).await);
                age = AGE_MS;
                let next = tokio::time::Instant::now() + PERIOD;
                while let Ok(revived) = tokio::time::timeout_at(next, self.handler.revived()).await
                {
                    let mut revived = self.handler.idle(revived);
                    revived.sort_unstable();
                    tell(self.take_up(&revived).await);
                }
            }
        };
        tokio::select! {
            () = repairing => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// One sweep over all that wait, oldest first. Returns how many were handled.
    async fn sweep(&mut self, age_ms: i64) -> Result<usize, IngressError> {
        let before = first_of(now_ms() - age_ms + i64::from(age_ms == 0));
        let mut handled = 0;
        loop {
            let ids = {
                let mut conn = self.pool.acquire().await?;
                deliveries::waiting_ids(&mut conn, self.after, before, LOOK).await?
            };
            let Some(last) = ids.last().copied() else {
                self.after = Uuid::nil().into();
                metrics::repaired(handled);
                return Ok(handled);
            };
            let idle = self.handler.idle(ids);
            handled += self.take_up(&idle).await?;
            self.after = last;
        }
    }

    /// Handles these, if they still wait. One that fails hinders no other, unless all do.
    async fn take_up(&mut self, ids: &[DeliveryId]) -> Result<usize, IngressError> {
        let (mut failures, mut handled) = (0, 0);
        for batch in ids.chunks(BATCH) {
            let error = match self.rehandle(batch).await {
                Ok(some) => {
                    (failures, handled) = (0, handled + some);
                    continue;
                }
                Err(error) => error,
            };
            tracing::debug!(%error, "a batch waits; its deliveries are tried one by one");
            for id in batch {
                match self.rehandle(std::slice::from_ref(id)).await {
                    Ok(some) => (failures, handled) = (0, handled + some),
                    Err(_) if failures + 1 < FAILURES => failures += 1,
                    Err(error) => {
                        self.after = *id;
                        return Err(error);
                    }
                }
            }
        }
        Ok(handled)
    }

    /// Handles these, sorted by id, in pieces that fit the memory.
    async fn rehandle(&self, mut ids: &[DeliveryId]) -> Result<usize, IngressError> {
        let mut handled = 0;
        while !ids.is_empty() {
            let waiting = {
                let mut conn = self.pool.acquire().await?;
                deliveries::waiting(&mut conn, ids, BYTES).await?
            };
            let Some(last) = waiting.last().map(|delivery| delivery.id) else {
                return Ok(handled);
            };
            let (piece, rest) = ids.split_at(ids.partition_point(|id| *id <= last));
            self.handler.begin(piece.iter().copied());
            let done = rehandle(&self.handler, &self.repositories, waiting).await;
            self.handler.end(piece.iter().copied());
            handled += done?;
            ids = rest;
        }
        Ok(handled)
    }
}

fn tell(handled: Result<usize, IngressError>) {
    match handled {
        Ok(0) => {}
        Ok(handled) => tracing::info!(handled, "deliveries were handled late"),
        Err(error) => tracing::warn!(%error, "deliveries go on waiting"),
    }
}

/// The lowest id that a delivery of this moment can have.
fn first_of(ms: i64) -> DeliveryId {
    let ms = u128::try_from(ms).unwrap_or(0);
    Uuid::from_u128(ms << 80).into()
}
