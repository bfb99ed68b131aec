//! Partitions and old rows: making what is needed soon, dropping what is not kept any longer.
use sqlx::PgPool;

/// Makes the partitions of this month and of the two months ahead.
pub(crate) async fn ensure_partitions(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query!("SELECT ck8s.ensure_partitions(2)")
        .fetch_one(pool)
        .await
        .map(drop)
}

/// Drops the partitions whose retention is over. Returns their names.
pub(crate) async fn drop_old_partitions(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    let dropped = sqlx::query_scalar!("SELECT ck8s.drop_old_partitions()")
        .fetch_all(pool)
        .await?;
    Ok(dropped.into_iter().flatten().collect())
}
