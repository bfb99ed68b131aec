//! What recovery compares with: which deliveries arrived.
use std::collections::HashSet;

use sqlx::{PgConnection, PgPool};

/// The connection that holds the lock of recovery; dropping it lets another replica.
pub(crate) struct Alone(#[allow(dead_code)] PgConnection);

/// The lock of recovery; none: another replica has it.
pub(crate) async fn alone(pool: &PgPool) -> sqlx::Result<Option<Alone>> {
    let mut conn = pool.acquire().await?.detach();
    let taken = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_lock(hashtextextended('ingress.recovery', 0)) AS "taken!""#
    )
    .fetch_one(&mut conn)
    .await?;
    Ok(taken.then_some(Alone(conn)))
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
