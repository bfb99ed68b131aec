//! The provider's ids of deliveries (`ingress.delivery_keys`): which arrived, and which are no longer needed.
use std::collections::HashMap;

use ck8s_types::RepositoryId;
use sqlx::PgConnection;

use crate::domain::missing_delivery::Arrival;

/// Returns what became of those of these deliveries of a repository that arrived, by key.
pub(crate) async fn arrivals(
    conn: &mut PgConnection,
    repository: RepositoryId,
    keys: &[&str],
) -> sqlx::Result<HashMap<String, Arrival>> {
    let rows = sqlx::query!(
        r#"SELECT k.delivery_key, bool_and(d.state IS NOT DISTINCT FROM 'failed') AS "failed!"
         FROM ingress.delivery_keys AS k LEFT JOIN ingress.deliveries AS d ON d.id = k.delivery_id
         WHERE k.provider = 'github' AND k.delivery_key = ANY ($1) AND (k.repository_id = $2 OR d.repository_id = $2)
         GROUP BY k.delivery_key"#,
        keys as &[&str],
        repository.uuid(),
    )
    .fetch_all(conn)
    .await?;
    let arrivals = rows.into_iter().map(|row| {
        let arrival = if row.failed {
            Arrival::Failed
        } else {
            Arrival::Arrived
        };
        (row.delivery_key, arrival)
    });
    Ok(arrivals.collect())
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
