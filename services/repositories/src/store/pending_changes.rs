//! Changes at the provider that have begun and not ended. A row is written before the first step and removed with the
//! last one; whoever takes the steps holds the repository's lock, on a connection of its own. A row without a holder is
//! what a crash left.
use ck8s_db::Lock;
use ck8s_types::RepositoryId;
use sqlx::{PgConnection, PgPool};
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    domain::pending_change::{ChangeKind, PendingChange},
    error::Error,
};

/// Proof that nobody else changes this repository at its provider. Dropping it releases the lock.
pub(crate) struct ChangeLock {
    pub repository: RepositoryId,
    lock: Lock,
    _permit: OwnedSemaphorePermit,
}

impl ChangeLock {
    /// Also locks the addition of what has this id at the provider. Returns false if somebody adds it.
    pub(crate) async fn lock_addition(&mut self, external_id: &str) -> sqlx::Result<bool> {
        self.lock
            .also(&format!("repositories.adding {external_id}"))
            .await
    }

    /// Releases the lock at once.
    pub(crate) async fn release(self) {
        self.lock.release().await;
    }
}

/// Takes the lock of a repository; none: somebody else holds it. The permit bounds how many this process holds at once.
pub(crate) async fn lock(
    pool: &PgPool,
    permit: OwnedSemaphorePermit,
    repository: RepositoryId,
) -> sqlx::Result<Option<ChangeLock>> {
    let lock = Lock::take(pool, &format!("repositories.works {repository}")).await?;
    Ok(lock.map(|lock| ChangeLock {
        repository,
        lock,
        _permit: permit,
    }))
}

/// Records a change before its first step.
pub(crate) async fn begin(
    conn: &mut PgConnection,
    lock: &ChangeLock,
    kind: ChangeKind,
    hook_url: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO repositories.works (repository_id, kind, hook_url) VALUES ($1, $2, $3)",
        lock.repository.uuid(),
        kind.as_str(),
        hook_url
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes the record of a change that was completed or undone.
pub(crate) async fn end(conn: &mut PgConnection, lock: &ChangeLock) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM repositories.works WHERE repository_id = $1",
        lock.repository.uuid()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the pending change of a repository, if there is one.
pub(crate) async fn get(
    conn: &mut PgConnection,
    repository: RepositoryId,
) -> Result<Option<PendingChange>, Error> {
    let row = sqlx::query!(
        "SELECT kind, hook_url FROM repositories.works WHERE repository_id = $1",
        repository.uuid()
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let kind = ChangeKind::from_word(&row.kind);
    Ok(Some(PendingChange {
        kind: kind.ok_or(Error::UnknownChangeKind(row.kind))?,
        hook_url: row.hook_url,
    }))
}

/// Returns the repositories that have a pending change, oldest first.
pub(crate) async fn repositories(conn: &mut PgConnection) -> sqlx::Result<Vec<RepositoryId>> {
    let ids =
        sqlx::query_scalar!("SELECT repository_id FROM repositories.works ORDER BY started_at")
            .fetch_all(conn)
            .await?;
    Ok(ids.into_iter().map(RepositoryId::from).collect())
}
