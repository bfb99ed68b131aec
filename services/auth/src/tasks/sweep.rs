//! The sweep: deletes rows that expired or ended some time ago. It is idempotent, and replicas may sweep at the same
//! time.
use std::time::Duration;

use ck8s_db::{ServiceRole, request_ids::Requests};
use sqlx::PgPool;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::store::{sessions, sign_in_links, sign_ins, signing_keys};

/// How often the tables are swept: their rows are kept for days, so an hour more does not matter.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// How many rows a sweep deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct SweepOutcome {
    requests: u64,
    sign_in_links: u64,
    sign_ins: u64,
    sessions: u64,
    signing_keys: u64,
}

/// Sweeps now and every hour, until the service shuts down.
pub(crate) async fn sweep_periodically(pool: PgPool, shutdown: CancellationToken) {
    let mut ticks = interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match sweep(&pool).await {
            Ok(deleted) if deleted == SweepOutcome::default() => {}
            Ok(deleted) => tracing::debug!(?deleted, "old rows were deleted"),
            Err(cause) => tracing::debug!(%cause, "old rows could not be deleted"),
        }
    }
}

async fn sweep(pool: &PgPool) -> sqlx::Result<SweepOutcome> {
    let mut conn = pool.acquire().await?;
    Ok(SweepOutcome {
        requests: Requests::of(ServiceRole::Auth).sweep(&mut conn).await?,
        sign_in_links: sign_in_links::sweep(&mut conn).await?,
        sign_ins: sign_ins::sweep(&mut conn).await?,
        sessions: sessions::sweep(&mut conn).await?,
        signing_keys: signing_keys::sweep(&mut conn).await?,
    })
}
