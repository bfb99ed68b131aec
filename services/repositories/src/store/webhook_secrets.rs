//! The sealed webhook secrets of a repository: the current one, and at most one before it.
use ck8s_sealing::Sealed;
use ck8s_types::RepositoryId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::sealed_row::{SealedRow, WebhookSecretId};

/// A sealed webhook secret that is still valid.
pub(crate) struct WebhookSecret {
    pub id: WebhookSecretId,
    pub repository_id: RepositoryId,
    pub sealed: Sealed,
    /// None: it is the current one.
    pub expires_at: Option<OffsetDateTime>,
}

impl WebhookSecret {
    /// Returns the row that it is sealed for.
    pub(crate) fn row(&self) -> SealedRow<'static> {
        SealedRow::WebhookSecret {
            id: self.id,
            repository: self.repository_id,
        }
    }
}

/// Returns the valid webhook secrets of many repositories; of each the current one first.
pub(crate) async fn valid(
    conn: &mut PgConnection,
    repositories: &[RepositoryId],
) -> sqlx::Result<Vec<WebhookSecret>> {
    let ids: Vec<Uuid> = repositories.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT id, repository_id, sealed, key_id, expires_at FROM repositories.webhook_secrets
         WHERE repository_id = ANY($1) AND (expires_at IS NULL OR expires_at > now())
         ORDER BY repository_id, expires_at DESC NULLS FIRST",
        &ids
    )
    .fetch_all(conn)
    .await?;
    let secret = |bytes, key_id| Sealed { key_id, bytes };
    Ok(rows
        .into_iter()
        .map(|row| WebhookSecret {
            id: WebhookSecretId(row.id),
            repository_id: row.repository_id.into(),
            sealed: secret(row.sealed, row.key_id),
            expires_at: row.expires_at,
        })
        .collect())
}

/// Lets the current secret end after `overlap_seconds`, and removes the one before it at once.
pub(crate) async fn supersede(
    conn: &mut PgConnection,
    repository: RepositoryId,
    overlap_seconds: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM repositories.webhook_secrets WHERE repository_id = $1 AND expires_at IS NOT NULL",
        repository.uuid()
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "UPDATE repositories.webhook_secrets SET expires_at = now() + $2 * interval '1 second'
         WHERE repository_id = $1",
        repository.uuid(),
        overlap_seconds as f64
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps the previous secret valid for at least `overlap_seconds` from now on.
pub(crate) async fn prolong(
    conn: &mut PgConnection,
    repository: RepositoryId,
    overlap_seconds: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.webhook_secrets SET expires_at = greatest(expires_at, now() + $2 * interval '1 second')
         WHERE repository_id = $1 AND expires_at IS NOT NULL",
        repository.uuid(),
        overlap_seconds as f64
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets the previous secret, which nobody needs any more, end in five minutes: deliveries may still be on their way.
/// Returns whether it would have ended later.
pub(crate) async fn retire(
    conn: &mut PgConnection,
    repository: RepositoryId,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE repositories.webhook_secrets SET expires_at = now() + interval '5 minutes'
         WHERE repository_id = $1 AND expires_at > now() + interval '5 minutes'",
        repository.uuid()
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Makes the previous secret the current one again. The replaced one stays valid for a month: nobody knows whether the
/// provider took it.
pub(crate) async fn restore(conn: &mut PgConnection, repository: RepositoryId) -> sqlx::Result<()> {
    let previous = sqlx::query_scalar!(
        "SELECT id FROM repositories.webhook_secrets WHERE repository_id = $1 AND expires_at > now()
         ORDER BY expires_at DESC LIMIT 1",
        repository.uuid()
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(previous) = previous else {
        return Ok(());
    };
    sqlx::query!(
        "UPDATE repositories.webhook_secrets SET expires_at = now() + interval '30 days'
         WHERE repository_id = $1 AND expires_at IS NULL",
        repository.uuid()
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "UPDATE repositories.webhook_secrets SET expires_at = NULL WHERE id = $1",
        previous
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Inserts the current secret.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: WebhookSecretId,
    repository: RepositoryId,
    sealed: &Sealed,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO repositories.webhook_secrets (id, repository_id, sealed, key_id) VALUES ($1, $2, $3, $4)",
        id.0,
        repository.uuid(),
        sealed.bytes,
        sealed.key_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes all webhook secrets of a repository.
pub(crate) async fn remove_all(
    conn: &mut PgConnection,
    repository: RepositoryId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM repositories.webhook_secrets WHERE repository_id = $1",
        repository.uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}
