//! Named locks across replicas that outlive transactions: advisory locks of a connection of their own. They end with
//! that connection, so a process that dies frees them.
use sqlx::{Connection, PgConnection, PgPool};

/// A held lock. Dropping it frees it as soon as the server notices; [`Self::release`] frees it at once.
pub struct Lock(PgConnection);

impl Lock {
    /// Takes the lock of this name. None: somebody else holds it. No transaction is open meanwhile.
    ///
    /// # Errors
    /// As any query.
    pub async fn take(pool: &PgPool, name: &str) -> sqlx::Result<Option<Self>> {
        let mut conn = pool.acquire().await?;
        let taken = take(&mut conn, name).await?;
        Ok(taken.then(|| Self(conn.detach())))
    }

    /// Takes another lock with the same connection. Returns false if somebody else holds it.
    ///
    /// # Errors
    /// As any query.
    pub async fn also(&mut self, name: &str) -> sqlx::Result<bool> {
        take(&mut self.0, name).await
    }

    /// Whether the lock is still held.
    pub async fn still(&mut self) -> bool {
        self.0.ping().await.is_ok()
    }

    /// Frees the lock at once.
    pub async fn release(mut self) {
        // Closing alone frees it only when the server notices.
        let unlocked = sqlx::query!("SELECT pg_advisory_unlock_all()")
            .execute(&mut self.0)
            .await;
        if let Err(error) = unlocked {
            tracing::debug!(%error, "the lock ends with its connection");
        }
        if let Err(error) = self.0.close().await {
            tracing::debug!(%error, "the lock ends with its connection");
        }
    }
}

async fn take(conn: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS "taken!""#,
        name
    )
    .fetch_one(conn)
    .await
}
