//! What ck8s shows to providers, sealed: one for each repository that it looks after.
use ck8s_sealing::Sealed;
use sqlx::PgConnection;
use uuid::Uuid;

/// A credential as it lies in its row.
pub struct Stored {
    /// Set for an app: its id and its installation's.
    pub app: Option<(String, String)>,
    /// The token, or the app's private key.
    pub sealed: Sealed,
}

/// Gives a repository this credential, in place of any other.
pub async fn put(conn: &mut PgConnection, repository: Uuid, stored: &Stored) -> sqlx::Result<()> {
    let kind = if stored.app.is_some() { "app" } else { "token" };
    sqlx::query!(
        "INSERT INTO repositories.credentials (repository_id, kind, app_id, installation_id, sealed, key_id)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (repository_id) DO UPDATE
         SET kind = excluded.kind, app_id = excluded.app_id, installation_id = excluded.installation_id,
             sealed = excluded.sealed, key_id = excluded.key_id, created_at = now()",
        repository,
        kind,
        stored.app.as_ref().map(|app| app.0.as_str()),
        stored.app.as_ref().map(|app| app.1.as_str()),
        stored.sealed.bytes,
        stored.sealed.key_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A repository's, if it has one.
pub async fn get(conn: &mut PgConnection, repository: Uuid) -> sqlx::Result<Option<Stored>> {
    let row = sqlx::query!(
        "SELECT app_id, installation_id, sealed, key_id FROM repositories.credentials WHERE repository_id = $1",
        repository
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Stored {
        app: row.app_id.zip(row.installation_id),
        sealed: Sealed {
            key_id: row.key_id,
            bytes: row.sealed,
        },
    }))
}

/// Removes it.
pub async fn remove(conn: &mut PgConnection, repository: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM repositories.credentials WHERE repository_id = $1",
        repository
    )
    .execute(conn)
    .await?;
    Ok(())
}
