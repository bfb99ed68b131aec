//! All SQL of this service: free functions that take a connection. Rows stay in here.
pub(crate) mod identities;
pub(crate) mod links;
pub(crate) mod members;
pub(crate) mod people;
pub(crate) mod projects;
pub(crate) mod requests;
pub(crate) mod sealed;
pub(crate) mod sessions;
pub(crate) mod sign_ins;
pub(crate) mod signing_keys;
pub(crate) mod tokens;
pub(crate) mod users;

/// A time span, for SQL. Microseconds are as fine as it gets.
fn interval(span: std::time::Duration) -> sqlx::postgres::types::PgInterval {
    sqlx::postgres::types::PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(span.as_micros()).unwrap_or(i64::MAX),
    }
}

/// The constraint that a statement violated.
fn violated(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.constraint()
}
