//! The sealed credentials that ck8s manages repositories with: at most one of each repository.
use ck8s_sealing::Sealed;
use ck8s_types::RepositoryId;
use sqlx::PgConnection;

use super::repositories::constraint;
use crate::error::Error;

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

/// Gives a repository this credential, in place of any other. Fails if another project's credential proves the same
/// repository.
pub(crate) async fn put(
    conn: &mut PgConnection,
    repository: RepositoryId,
    credential: &SealedCredential,
) -> Result<(), Error> {
    let app = credential.app.as_ref();
    let kind = if app.is_some() { "app" } else { "token" };
    let done = sqlx::query!(
        "INSERT INTO repositories.credentials
             (repository_id, kind, app_id, installation_id, sealed, key_id, provider, external_id)
         SELECT id, $2, $3, $4, $5, $6, provider, external_id FROM repositories.repositories WHERE id = $1
         ON CONFLICT (repository_id) DO UPDATE
         SET external_id = excluded.external_id, kind = excluded.kind, app_id = excluded.app_id, installation_id = excluded.installation_id,
             sealed = excluded.sealed, key_id = excluded.key_id, created_at = now()",
        repository.uuid(),
        kind,
        app.map(|app| app.app_id.as_str()),
        app.map(|app| app.installation_id.as_str()),
        credential.sealed.bytes,
        credential.sealed.key_id
    )
    .execute(conn)
    .await;
    done.map_err(|error| match constraint(&error) {
        Some("credentials_external_id") => Error::ManagedElsewhere,
        _ => Error::Database(error),
    })?;
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
