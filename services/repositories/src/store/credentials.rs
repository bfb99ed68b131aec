//! The sealed credentials that ck8s manages repositories with: at most one of each repository.
use ck8s_sealing::Sealed;
use ck8s_types::RepositoryId;
use sqlx::PgConnection;

/// A sealed credential.
pub(crate) struct SealedCredential {
    /// The app that it is of; none: it is a token.
    pub app: Option<AppInstallation>,
    /// The token, or the app's private key.
    pub sealed: Sealed,
}

/// An app, where it is installed.
pub(crate) struct AppInstallation {
    pub app_id: String,
    pub installation_id: String,
}

/// Gives a repository this credential, in place of any other.
pub(crate) async fn put(
    conn: &mut PgConnection,
    repository: RepositoryId,
    credential: &SealedCredential,
) -> sqlx::Result<()> {
    let app = credential.app.as_ref();
    let kind = if app.is_some() { "app" } else { "token" };
    sqlx::query!(
        "INSERT INTO repositories.credentials (repository_id, kind, app_id, installation_id, sealed, key_id)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (repository_id) DO UPDATE
         SET kind = excluded.kind, app_id = excluded.app_id, installation_id = excluded.installation_id,
             sealed = excluded.sealed, key_id = excluded.key_id, created_at = now()",
        repository.uuid(),
        kind,
        app.map(|app| app.app_id.as_str()),
        app.map(|app| app.installation_id.as_str()),
        credential.sealed.bytes,
        credential.sealed.key_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the credential of a repository, if it has one.
pub(crate) async fn get(
    conn: &mut PgConnection,
    repository: RepositoryId,
) -> sqlx::Result<Option<SealedCredential>> {
    let row = sqlx::query!(
        "SELECT app_id, installation_id, sealed, key_id FROM repositories.credentials WHERE repository_id = $1",
        repository.uuid()
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| SealedCredential {
        app: row
            .app_id
            .zip(row.installation_id)
            .map(|(app_id, installation_id)| AppInstallation {
                app_id,
                installation_id,
            }),
        sealed: Sealed {
            key_id: row.key_id,
            bytes: row.sealed,
        },
    }))
}

/// Removes the credential of a repository.
pub(crate) async fn remove(conn: &mut PgConnection, repository: RepositoryId) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM repositories.credentials WHERE repository_id = $1",
        repository.uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}
