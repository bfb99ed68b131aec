//! NOTIFY to the other replicas.
use ck8s_db::notify_channels;
use sqlx::PgPool;

/// Sends a message to every replica that listens.
pub(crate) async fn notify(pool: &PgPool, message: &str) -> sqlx::Result<()> {
    sqlx::query!("SELECT pg_notify($1, $2)", notify_channels::RUNS, message)
        .fetch_one(pool)
        .await
        .map(drop)
}
