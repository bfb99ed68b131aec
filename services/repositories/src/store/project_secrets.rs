//! The sealed secrets that the repositories of a project share, by name.
use ck8s_sealing::Sealed;
use ck8s_types::ProjectId;
use sqlx::PgConnection;

use super::repositories::constraint;
use crate::{
    domain::run_secret::{Binding, RunSecret},
    error::Error,
};

/// Sets a secret, or replaces its value.
pub(crate) async fn set(
    conn: &mut PgConnection,
    project: ProjectId,
    name: &str,
    sealed: &Sealed,
) -> Result<RunSecret, Error> {
    let updated_at = sqlx::query_scalar!(
        "INSERT INTO repositories.project_secrets (project_id, name, sealed, key_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (project_id, name)
         DO UPDATE SET sealed = excluded.sealed, key_id = excluded.key_id, updated_at = now()
         RETURNING updated_at",
        project.uuid(),
        name,
        sealed.bytes,
        sealed.key_id
    )
    .fetch_one(conn)
    .await;
    let updated_at = updated_at.map_err(|error| match constraint(&error) {
        Some("project_secrets_project_id_fkey") => Error::ProjectNotFound(project),
        _ => Error::Database(error),
    })?;
    Ok(RunSecret {
        name: name.to_owned(),
        binding: Binding::Every,
        updated_at,
    })
}

/// Removes a secret. Returns whether it was there.
pub(crate) async fn remove(
    conn: &mut PgConnection,
    project: ProjectId,
    name: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM repositories.project_secrets WHERE project_id = $1 AND name = $2",
        project.uuid(),
        name
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Returns a page of a project's secrets, by name, after this one.
pub(crate) async fn list(
    conn: &mut PgConnection,
    project: ProjectId,
    after: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<RunSecret>> {
    let rows = sqlx::query!(
        "SELECT name, updated_at FROM repositories.project_secrets
         WHERE project_id = $1 AND name > $2 ORDER BY name LIMIT $3",
        project.uuid(),
        after.unwrap_or_default(),
        limit
    )
    .fetch_all(conn)
    .await?;
    let secrets = rows.into_iter().map(|row| RunSecret {
        name: row.name,
        binding: Binding::Every,
        updated_at: row.updated_at,
    });
    Ok(secrets.collect())
}
