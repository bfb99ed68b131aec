//! Small conversions between SQL and Rust.
use std::time::Duration;

use sqlx::postgres::types::PgInterval;

/// Converts a time span, to the microsecond.
pub(super) fn interval(span: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(span.as_micros()).unwrap_or(i64::MAX),
    }
}

/// Returns the constraint that a statement violated.
pub(super) fn violated(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.constraint()
}
