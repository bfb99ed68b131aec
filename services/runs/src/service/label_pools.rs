//! The numbers of sets of labels.
use crate::{domain::PoolId, engine::Engine, error::RunsError, store::label_pools};

/// Returns the number of a set of labels, and gives it one if it is new.
pub(super) async fn pool_of(engine: &Engine, labels: &[String]) -> Result<PoolId, RunsError> {
    let known = engine.scheduler().pool_of(labels);
    if let Some(pool) = known {
        return Ok(pool);
    }
    let pool = label_pools::ensure(&mut *engine.pool.acquire().await?, labels).await?;
    engine.scheduler().add_pools([(pool, labels.to_vec())]);
    Ok(pool)
}
