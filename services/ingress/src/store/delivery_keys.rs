//! The provider's ids of deliveries (`ingress.delivery_keys`): which arrived, and which are no longer needed.
use std::collections::HashSet;

use ck8s_types::RepositoryId;
use sqlx::PgConnection;

/// Returns those of these keys of a repository whose delivery arrived and did not fail.
pub(crate) async fn arrived(
    conn: &mut PgConnection,
    repository: RepositoryId,
    keys: &[&str],
) -> sqlx::Result<HashSet<String>> {
    let arrived = sqlx::query_scalar!(
        "SELECT k.delivery_key FROM ingress.delivery_keys AS k
         LEFT JOIN ingress.deliveries AS d ON d.id = k.delivery_id
         WHERE k.provider = 'github' AND k.delivery_key = ANY ($1) AND d.state IS DISTINCT FROM 'failed'
           AND (k.repository_id = $2 OR d.repository_id = $2)",
        keys as &[&str],
        repository.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(arrived.into_iter().collect())
}

/// Deletes the keys of deliveries that are gone with their partition, and returns how many. Keys stay for five months,
/// which is longer than deliveries are kept.
pub(crate) async fn delete_old(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM ingress.delivery_keys WHERE delivery_id < ck8s.uuid_floor(now() - interval '5 months')"
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
