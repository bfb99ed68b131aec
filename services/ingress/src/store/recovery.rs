//! What recovery compares with: which deliveries arrived.
use std::collections::HashSet;

use ck8s_db::Lock;
use sqlx::{PgConnection, PgPool};

/// The lock of recovery; none: another replica has it.
pub(crate) async fn alone(pool: &PgPool) -> sqlx::Result<Option<Lock>> {
    Lock::take(pool, "ingress.recovery").await
}

/// Those of the provider's ids that arrived and did not fail.
pub(crate) async fn arrived(
    conn: &mut PgConnection,
    keys: &[&str],
) -> sqlx::Result<HashSet<String>> {
    let arrived = sqlx::query_scalar!(
        "SELECT k.delivery_key FROM ingress.delivery_keys AS k
         WHERE k.provider = 'github' AND k.delivery_key = ANY ($1)
           AND NOT EXISTS (SELECT FROM ingress.deliveries AS d WHERE d.id = k.delivery_id AND d.state = 'failed')",
        keys as &[&str],
    )
    .fetch_all(conn)
    .await?;
    Ok(arrived.into_iter().collect())
}
