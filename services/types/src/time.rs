//! Conversions of time. What is stored takes the database's clock; this one is for deadlines in memory.
use time::OffsetDateTime;

/// Milliseconds since 1970 by this process's clock.
#[must_use]
pub fn now_ms() -> i64 {
    let nanos = OffsetDateTime::now_utc().unix_timestamp_nanos();
    i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX)
}

/// The moment that many milliseconds after 1970.
#[must_use]
pub fn from_unix_ms(ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
