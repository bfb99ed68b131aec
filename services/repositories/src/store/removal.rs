//! The removal of a repository with everything secret of it.
use sqlx::PgConnection;

use super::{credentials, repositories, secrets, webhook_secrets};
use crate::domain::repository::Repository;

/// Marks a repository as removed, and deletes its credential, webhook secrets and secrets of runs. Whoever caches the
/// repository is notified with the commit.
pub(crate) async fn remove_with_secrets(
    conn: &mut PgConnection,
    repository: &Repository,
) -> sqlx::Result<()> {
    credentials::remove(conn, repository.id).await?;
    webhook_secrets::remove_all(conn, repository.id).await?;
    secrets::remove_all(conn, repository.id).await?;
    repositories::remove(conn, repository.id).await?;
    repositories::touch(conn, repository.id).await
}
