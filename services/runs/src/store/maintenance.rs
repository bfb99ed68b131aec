//! Partitions and old rows: making what is needed soon, dropping what is not kept any longer. Each statement is a
//! transaction of its own that gives up after two seconds of waiting for a lock.
use sqlx::PgPool;
use time::OffsetDateTime;

/// A partition that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct MissingPartition {
    pub table: String,
    /// The month's beginning, in UTC.
    pub month: OffsetDateTime,
}

/// Returns the partitions that are missing: of this month, of the two months ahead, and of months for which rows came
/// when there was none.
pub(crate) async fn missing_partitions(pool: &PgPool) -> sqlx::Result<Vec<MissingPartition>> {
    let rows = sqlx::query!(
        r#"SELECT of_table AS "table!", month AS "month!" FROM ck8s.missing_partitions(2)"#
    )
    .fetch_all(pool)
    .await?;
    let missing = rows.into_iter().map(|r| MissingPartition {
        table: r.table,
        month: r.month,
    });
    Ok(missing.collect())
}

/// Makes a partition, and moves the rows into it that came before it was there.
pub(crate) async fn make_partition(pool: &PgPool, missing: &MissingPartition) -> sqlx::Result<()> {
    sqlx::query!(
        "SELECT ck8s.make_partition($1, $2)",
        missing.table,
        missing.month
    )
    .fetch_one(pool)
    .await
    .map(drop)
}

/// Returns the names of the partitions whose retention is over.
pub(crate) async fn old_partitions(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(r#"SELECT ck8s.old_partitions() AS "part!""#)
        .fetch_all(pool)
        .await
}

/// Drops one of them. False: another replica has dropped it.
pub(crate) async fn drop_partition(pool: &PgPool, part: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT ck8s.drop_old_partition($1) AS "dropped!""#, part)
        .fetch_one(pool)
        .await
}
