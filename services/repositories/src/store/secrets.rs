//! The sealed secrets of runs, by name.
use ck8s_sealing::Sealed;
use ck8s_types::RepositoryId;
use sqlx::PgConnection;

/// Sets a secret, or replaces its value.
pub(crate) async fn set(
    conn: &mut PgConnection,
    repository: RepositoryId,
    name: &str,
    sealed: &Sealed,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO repositories.secrets (repository_id, name, sealed, key_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (repository_id, name)
         DO UPDATE SET sealed = excluded.sealed, key_id = excluded.key_id, updated_at = now()",
        repository.uuid(),
        name,
        sealed.bytes,
        sealed.key_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a secret. Returns whether it was there.
pub(crate) async fn remove(
    conn: &mut PgConnection,
    repository: RepositoryId,
    name: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM repositories.secrets WHERE repository_id = $1 AND name = $2",
        repository.uuid(),
        name
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes all secrets of a repository.
pub(crate) async fn remove_all(
    conn: &mut PgConnection,
    repository: RepositoryId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM repositories.secrets WHERE repository_id = $1",
        repository.uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns those of the named secrets that are set.
pub(crate) async fn by_names(
    conn: &mut PgConnection,
    repository: RepositoryId,
    names: &[String],
) -> sqlx::Result<Vec<(String, Sealed)>> {
    let rows = sqlx::query!(
        "SELECT name, sealed, key_id FROM repositories.secrets WHERE repository_id = $1 AND name = ANY($2)",
        repository.uuid(),
        names
    )
    .fetch_all(conn)
    .await?;
    let sealed = |key_id, bytes| Sealed { key_id, bytes };
    Ok(rows
        .into_iter()
        .map(|row| (row.name, sealed(row.key_id, row.sealed)))
        .collect())
}

/// Returns the ids of the keys that the sealed values of the service need.
pub(crate) async fn key_ids(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT key_id AS "key_id!" FROM repositories.secrets
           UNION SELECT key_id FROM repositories.credentials
           UNION SELECT key_id FROM repositories.webhook_secrets WHERE expires_at IS NULL OR expires_at > now()"#
    )
    .fetch_all(conn)
    .await
}
