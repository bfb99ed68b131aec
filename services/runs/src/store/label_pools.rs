//! Pools: sets of labels that runs ask for, each with a small number.
use sqlx::PgConnection;

use crate::domain::PoolId;

/// Returns the number of a set of labels (sorted, each once), and gives it one if it is new. Call it again
/// within the day for as long as the number is used.
pub(crate) async fn ensure(conn: &mut PgConnection, labels: &[String]) -> sqlx::Result<PoolId> {
    let used = sqlx::query_scalar!(
        "UPDATE runs.pools SET used_at = now() WHERE labels = $1 RETURNING id",
        labels
    );
    if let Some(id) = used.fetch_optional(&mut *conn).await? {
        return Ok(PoolId(id));
    }
    // DO UPDATE, so that the row comes back also when another replica made it just now.
    sqlx::query_scalar!(
        "INSERT INTO runs.pools (labels) VALUES ($1)
         ON CONFLICT ON CONSTRAINT pools_labels_key DO UPDATE SET used_at = now() RETURNING id",
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

/// Removes the sets of labels that nobody has used for this many days and no run waits or works with. Returns them.
pub(crate) async fn remove_unused(conn: &mut PgConnection, days: i32) -> sqlx::Result<Vec<PoolId>> {
    sqlx::query_scalar!(
        "DELETE FROM runs.pools p WHERE used_at < now() - make_interval(days => $1)
         AND NOT EXISTS (SELECT FROM runs.queue q WHERE q.pool_id = p.id)
         AND NOT EXISTS (SELECT FROM runs.leases l WHERE l.pool_id = p.id) RETURNING id",
        days
    )
    .fetch_all(conn)
    .await
    .map(|ids| ids.into_iter().map(PoolId).collect())
}
