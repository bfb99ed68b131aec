//! The numbers of sets of labels.
use std::time::{Duration, Instant};

use crate::{domain::PoolId, engine::Engine, error::RunsError, store::label_pools};

/// How long a number is used without looking it up again: far less than the month after which unused ones are removed.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// Returns the number of a set of labels, and gives it one if it is new.
pub(super) async fn pool_of(engine: &Engine, labels: &[String]) -> Result<PoolId, RunsError> {
    let known = engine.scheduler().pool_of(labels, MAX_AGE);
    if let Some(pool) = known {
        return Ok(pool);
    }
    let now = Instant::now();
    let pool = label_pools::ensure(&mut *engine.pool.acquire().await?, labels).await?;
    engine
        .scheduler()
        .add_looked_up_pool(pool, labels.to_vec(), now);
    Ok(pool)
}
