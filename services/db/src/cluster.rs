//! The database cluster in which the database is: a dump that is restored elsewhere meets another counter of
//! transactions, by which flow events are ordered.
use crate::{DbError, connect_owner};

/// Notes in which cluster the database is, so that what is written from now on follows what was written before. Returns
/// whether it is another cluster than before. Call it before anything is served.
///
/// # Errors
/// The database is away, or the schema is older than this program.
pub async fn adopt_cluster(url: &str) -> Result<bool, DbError> {
    let owner = connect_owner(url).await?;
    let adopted = sqlx::query_scalar!(r#"SELECT ck8s.adopt_cluster() AS "adopted!""#)
        .fetch_one(&owner)
        .await
        .map_err(DbError::Connect);
    owner.close().await;
    if matches!(adopted, Ok(true)) {
        tracing::warn!(
            "the database was restored into another cluster: cursors from beyond the dump are refused"
        );
    }
    adopted
}
