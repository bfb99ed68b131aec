//! Secrets of runs, sealed, by name.
use sqlx::PgConnection;
use uuid::Uuid;

use ck8s_sealing::Sealed;

/// Sets one, or replaces its value.
pub async fn set(
    conn: &mut PgConnection,
    repository: Uuid,
    name: &str,
    sealed: &Sealed,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO repositories.secrets (repository_id, name, sealed, key_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (repository_id, name)
         DO UPDATE SET sealed = excluded.sealed, key_id = excluded.key_id, updated_at = now()",
        repository,
        name,
        sealed.bytes,
        sealed.key_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes one; whether it was there.
pub async fn remove(conn: &mut PgConnection, repository: Uuid, name: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM repositories.secrets WHERE repository_id = $1 AND name = $2",
        repository,
        name
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Removes all of a repository.
pub async fn remove_all(conn: &mut PgConnection, repository: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM repositories.secrets WHERE repository_id = $1",
        repository
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of the names that are set.
pub async fn by_names(
    conn: &mut PgConnection,
    repository: Uuid,
    names: &[String],
) -> sqlx::Result<Vec<(String, Sealed)>> {
    let rows = sqlx::query!(
        "SELECT name, sealed, key_id FROM repositories.secrets WHERE repository_id = $1 AND name = ANY($2)",
        repository,
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

/// Ids of the keys that any sealed value of the service needs.
pub async fn key_ids(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT key_id AS "key_id!" FROM repositories.secrets
           UNION SELECT key_id FROM repositories.credentials
           UNION SELECT key_id FROM repositories.webhook_secrets WHERE expires_at IS NULL OR expires_at > now()"#
    )
    .fetch_all(conn)
    .await
}
