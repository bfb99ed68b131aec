//! `runs.pools`: sets of labels, each with a small number.
use sqlx::PgConnection;

use crate::domain::PoolId;

/// The number of a set of labels (sorted, each once), made where it is new.
pub async fn ensure(conn: &mut PgConnection, labels: &[String]) -> sqlx::Result<PoolId> {
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

/// All of them. There are few: as many as services.yaml files ask for.
pub async fn all(conn: &mut PgConnection) -> sqlx::Result<Vec<(PoolId, Vec<String>)>> {
    sqlx::query!("SELECT id, labels FROM runs.pools")
        .fetch_all(conn)
        .await
        .map(|rows| rows.into_iter().map(|r| (PoolId(r.id), r.labels)).collect())
}
