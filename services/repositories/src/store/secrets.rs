//! The sealed secrets of repositories' runs, by name.
use ck8s_sealing::Sealed;
use ck8s_types::{ProjectId, RepositoryId};
use sqlx::PgConnection;

use crate::domain::run_secret::Binding;

/// A sealed secret, and which runs are given it.
pub(crate) struct SealedSecret {
    pub name: String,
    pub sealed: Sealed,
    pub binding: Binding,
    /// Set: it is a secret of this project, not the repository's own.
    pub project: Option<ProjectId>,
}

/// Sets a secret, or replaces its value. Without a binding, a secret that is there keeps its own.
pub(crate) async fn set(
    conn: &mut PgConnection,
    repository: RepositoryId,
    name: &str,
    sealed: &Sealed,
    binding: Option<&Binding>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO repositories.secrets (repository_id, name, sealed, key_id, triggers)
         VALUES ($1, $2, $3, $4, nullif($5::text[], '{}'))
         ON CONFLICT (repository_id, name)
         DO UPDATE SET sealed = excluded.sealed, key_id = excluded.key_id, updated_at = now(),
             triggers = CASE WHEN $6 THEN excluded.triggers ELSE secrets.triggers END",
        repository.uuid(),
        name,
        sealed.bytes,
        sealed.key_id,
        binding.map_or(&[][..], Binding::names),
        binding.is_some()
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

/// Returns those of the named secrets that a repository has, or else its project. A repository that was removed has
/// none.
pub(crate) async fn by_names(
    conn: &mut PgConnection,
    repository: RepositoryId,
    names: &[String],
) -> sqlx::Result<Vec<SealedSecret>> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (name) name AS "name!", sealed AS "sealed!", key_id AS "key_id!", triggers, project_id FROM (
            SELECT name, sealed, key_id, triggers, NULL::uuid AS project_id
            FROM repositories.secrets WHERE repository_id = $1 AND name = ANY($2)
            UNION ALL
            SELECT p.name, p.sealed, p.key_id, NULL, p.project_id
            FROM repositories.repositories AS r JOIN repositories.project_secrets AS p ON p.project_id = r.project_id
            WHERE r.id = $1 AND r.removed_at IS NULL AND p.name = ANY($2)
         ) AS s ORDER BY name, project_id NULLS FIRST"#,
        repository.uuid(),
        names
    )
    .fetch_all(conn)
    .await?;
    let secrets = rows.into_iter().map(|row| SealedSecret {
        name: row.name,
        sealed: Sealed {
            key_id: row.key_id,
            bytes: row.sealed,
        },
        binding: Binding::from_names(row.triggers.unwrap_or_default()),
        project: row.project_id.map(ProjectId::from),
    });
    Ok(secrets.collect())
}

/// Returns the ids of the keys that the sealed values of the service need.
pub(crate) async fn key_ids(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT key_id AS "key_id!" FROM repositories.secrets
           UNION SELECT key_id FROM repositories.project_secrets
           UNION SELECT key_id FROM repositories.credentials
           UNION SELECT key_id FROM repositories.webhook_secrets WHERE expires_at IS NULL OR expires_at > now()"#
    )
    .fetch_all(conn)
    .await
}
