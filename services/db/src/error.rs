//! What goes wrong with a database, and which of it is worth another try.
use sqlx::migrate::MigrateError;
use thiserror::Error;

/// Why a database cannot be used.
#[derive(Debug, Error)]
pub enum DbError {
    /// The database's address cannot be understood. The address is not shown: it may hold a password.
    #[error("the database url is not valid: use postgres://user:password@host:port/database")]
    Url,
    /// The database cannot be reached, or refused.
    #[error("cannot reach the database: {0}")]
    Connect(#[source] sqlx::Error),
    /// A statement failed.
    #[error("the database answered with an error: {0}")]
    Query(#[from] sqlx::Error),
    /// A migration failed, or the schema is not what this program knows.
    #[error("migration: {0}")]
    Migrate(#[from] MigrateError),
}

/// Whether the same transaction may succeed if it is tried again: serialization failures, deadlocks, lost connections.
#[must_use]
pub fn is_retryable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(db) => {
            matches!(db.code().as_deref(), Some("40001" | "40P01" | "55P03"))
                || is_unavailable(error)
        }
        _ => is_unavailable(error),
    }
}

/// Whether the database cannot be reached: nothing is wrong with the request.
#[must_use]
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        // Class 08: connection. 57P01 to 57P03: shut down, crashed, starting. 53300: too many connections. 25006: a
        // standby.
        sqlx::Error::Database(db) => db.code().is_some_and(|code| {
            code.starts_with("08")
                || matches!(&*code, "57P01" | "57P02" | "57P03" | "53300" | "25006")
        }),
        _ => false,
    }
}

/// Whether a text cannot be stored, because it holds a NUL character: the caller sent it.
#[must_use]
pub fn is_unstorable(error: &sqlx::Error) -> bool {
    // 22021: not in the encoding. 22P05: an escape in JSON that no text can hold.
    let code = error.as_database_error().and_then(|db| db.code());
    code.is_some_and(|code| matches!(&*code, "22021" | "22P05"))
}
