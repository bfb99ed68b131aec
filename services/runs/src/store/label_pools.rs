//! Pools: sets of labels that runs ask for, each with a small number.
use sqlx::PgConnection;

use crate::domain::PoolId;

/// Returns the number of a set of labels (sorted, each once), and gives it one if it is new.
pub(crate) async fn ensure(conn: &mut PgConnection, labels: &[String]) -> sqlx::Result<PoolId> {
    if let Some(id) = sqlx::query_scalar!("SELECT id FROM runs.pools WHERE labels = $1", labels)
        .fetch_optional(&mut *conn)
        .await?
    {
        return Ok(PoolId(id));
    }
    // DO UPDATE, so that the row comes back also when another replica made it just now.
    sqlx::query_scalar!(
        "INSERT INTO runs.pools (labels) VALUES ($1)
         ON CONFLICT ON CONSTRAINT pools_labels_key DO UPDATE SET labels = excluded.labels RETURNING id",
        labels
    )
    .fetch_one(conn)
    .await
    .map(PoolId)
}

/// Returns all pools. There are few: as many as the services.yaml files ask for.
pub(crate) async fn all(conn: &mut PgConnection) -> sqlx::Result<Vec<(PoolId, Vec<String>)>> {
    sqlx::query!("SELECT id, labels FROM runs.pools")
        .fetch_all(conn)
        .await
        .map(|rows| rows.into_iter().map(|r| (PoolId(r.id), r.labels)).collect())
}
