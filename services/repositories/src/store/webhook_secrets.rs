//! Webhook secrets, sealed: the current one, and at most one before it.
use ck8s_types::RepositoryId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use ck8s_sealing::Sealed;

use crate::domain::row::Row;

/// A sealed webhook secret that is still valid.
pub struct WebhookSecret {
    pub id: Uuid,
    pub repository_id: Uuid,
    pub sealed: Sealed,
    pub expires_at: Option<OffsetDateTime>,
}

impl WebhookSecret {
    /// The row that it is sealed for.
    pub fn row(&self) -> Row<'static> {
        Row::WebhookSecret {
            id: self.id,
            repository: RepositoryId::from(self.repository_id),
        }
    }
}

/// The valid ones of many repositories; of each the current one first.
pub async fn valid(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<WebhookSecret>> {
    let rows = sqlx::query!(
        "SELECT id, repository_id, sealed, key_id, expires_at FROM repositories.webhook_secrets
         WHERE repository_id = ANY($1) AND (expires_at IS NULL OR expires_at > now())
         ORDER BY repository_id, expires_at DESC NULLS FIRST",
        ids
    )
    .fetch_all(conn)
    .await?;
    let secret = |bytes, key_id| Sealed { key_id, bytes };
    Ok(rows
        .into_iter()
        .map(|row| WebhookSecret {
            id: row.id,
            repository_id: row.repository_id,
            sealed: secret(row.sealed, row.key_id),
            expires_at: row.expires_at,
        })
        .collect())
}

/// Ends the current one after `overlap_seconds`; the one before it goes at once.
pub async fn supersede(
    conn: &mut PgConnection,
    repository: Uuid,
    overlap_seconds: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM repositories.webhook_secrets WHERE repository_id = $1 AND expires_at IS NOT NULL",
        repository
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "UPDATE repositories.webhook_secrets SET expires_at = now() + $2 * interval '1 second'
         WHERE repository_id = $1",
        repository,
        overlap_seconds as f64
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The one before the current one counts from now on for so many seconds, if that is how long it counts at least.
pub async fn prolong(
    conn: &mut PgConnection,
    repository: Uuid,
    overlap_seconds: i64,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE repositories.webhook_secrets SET expires_at = greatest(expires_at, now() + $2 * interval '1 second')
         WHERE repository_id = $1 AND expires_at IS NOT NULL",
        repository,
        overlap_seconds as f64
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The one before the current one is not needed any more: it ends in five minutes, for what is still on its way. Whether that is news.
pub async fn retire(conn: &mut PgConnection, repository: Uuid) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE repositories.webhook_secrets SET expires_at = now() + interval '5 minutes'
         WHERE repository_id = $1 AND expires_at > now() + interval '5 minutes'",
        repository
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The one before is the current one again. The one that was, counts for a month: nobody knows whether the provider took it.
pub async fn restore(conn: &mut PgConnection, repository: Uuid) -> sqlx::Result<()> {
    let before = sqlx::query_scalar!(
        "SELECT id FROM repositories.webhook_secrets WHERE repository_id = $1 AND expires_at > now()
         ORDER BY expires_at DESC LIMIT 1",
        repository
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(before) = before else {
        return Ok(());
    };
    sqlx::query!(
        "UPDATE repositories.webhook_secrets SET expires_at = now() + interval '30 days'
         WHERE repository_id = $1 AND expires_at IS NULL",
        repository
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "UPDATE repositories.webhook_secrets SET expires_at = NULL WHERE id = $1",
        before
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts the current one in place.
pub async fn insert(
    conn: &mut PgConnection,
    id: Uuid,
    repository: Uuid,
    sealed: &Sealed,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO repositories.webhook_secrets (id, repository_id, sealed, key_id) VALUES ($1, $2, $3, $4)",
        id,
        repository,
        sealed.bytes,
        sealed.key_id
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes all of a repository.
pub async fn remove_all(conn: &mut PgConnection, repository: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM repositories.webhook_secrets WHERE repository_id = $1",
        repository
    )
    .execute(conn)
    .await?;
    Ok(())
}
