//! A named lock across replicas that outlives transactions: an advisory lock of a connection of its own. It goes with that connection,
//! so a process that dies lets it go.
use sqlx::{Connection, PgConnection, PgPool};

/// A lock that is held. Dropping it lets others as soon as the server notices; [`Self::release`] at once.
pub struct Lock(PgConnection);

impl Lock {
    /// Takes the lock of this name; none: somebody has it. No transaction is open meanwhile.
    ///
    /// # Errors
    /// As any query.
    pub async fn take(pool: &PgPool, name: &str) -> sqlx::Result<Option<Self>> {
        let mut conn = pool.acquire().await?;
        let taken = take(&mut conn, name).await?;
        Ok(taken.then(|| Self(conn.detach())))
    }

    /// Takes another one besides; false: somebody has it.
    ///
    /// # Errors
    /// As any query.
    pub async fn also(&mut self, name: &str) -> sqlx::Result<bool> {
        take(&mut self.0, name).await
    }

    /// Whether it is still ours.
    pub async fn still(&mut self) -> bool {
        self.0.ping().await.is_ok()
    }

    /// Lets others, at once.
    pub async fn release(mut self) {
        // Closing alone lets others only when the server has noticed.
        let unlocked = sqlx::query!("SELECT pg_advisory_unlock_all()")
            .execute(&mut self.0)
            .await;
        if let Err(error) = unlocked {
            tracing::debug!(%error, "the lock goes with its connection");
        }
        if let Err(error) = self.0.close().await {
            tracing::debug!(%error, "the lock goes with its connection");
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
