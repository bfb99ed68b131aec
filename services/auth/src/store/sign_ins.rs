//! Sign-ins that have started. A row is deleted when it is used, or a day after it expired.
use std::time::Duration;

use ck8s_sealing::Sealed;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::sql::interval;
use crate::domain::Hash;

/// Returns the associated data of a row's sealed value, so that it can be opened in its own row only.
pub(crate) fn associated_data(hash: &Hash) -> Vec<u8> {
    format!("auth.sign_ins\0{}", hex::encode(hash)).into_bytes()
}

/// A sign-in in the browser, to be stored.
pub(crate) struct NewBrowserSignIn<'a> {
    pub state: Hash,
    pub browser: Hash,
    /// The PKCE verifier.
    pub sealed: Sealed,
    /// Where the browser goes afterwards.
    pub return_to: &'a str,
    pub ttl: Duration,
}

/// Stores a sign-in in the browser, by its state.
pub(crate) async fn insert_browser(
    conn: &mut PgConnection,
    sign_in: NewBrowserSignIn<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO auth.sign_ins (hash, browser_hash, sealed, key_id, return_to, expires_at)
         VALUES ($1, $2, $3, $4, $5, now() + $6::interval)",
        sign_in.state.as_slice(),
        sign_in.browser.as_slice(),
        sign_in.sealed.bytes,
        sign_in.sealed.key_id,
        sign_in.return_to,
        interval(sign_in.ttl),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the sign-in of a state, in the browser that started it. Returns its sealed PKCE verifier, and where the
/// browser goes.
pub(crate) async fn take_browser(
    conn: &mut PgConnection,
    state: &Hash,
    browser: &Hash,
) -> sqlx::Result<Option<(Sealed, String)>> {
    let row = sqlx::query!(
        "DELETE FROM auth.sign_ins WHERE hash = $1 AND browser_hash = $2 AND expires_at > now()
         RETURNING sealed, key_id, return_to",
        state.as_slice(),
        browser.as_slice(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        let sealed = Sealed {
            key_id: row.key_id,
            bytes: row.sealed,
        };
        (sealed, row.return_to)
    }))
}

/// Stores a sign-in on a device, by our code for it. Returns the time at which it expires.
pub(crate) async fn insert_device(
    conn: &mut PgConnection,
    code: &Hash,
    sealed: &Sealed,
    ttl: Duration,
    poll_interval: Duration,
) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(
        "INSERT INTO auth.sign_ins (hash, sealed, key_id, expires_at, next_poll_at, poll_interval_s)
         VALUES ($1, $2, $3, now() + $4::interval, now() + $5::interval, extract(epoch FROM $5::interval)::integer)
         RETURNING expires_at",
        code.as_slice(),
        sealed.bytes,
        sealed.key_id,
        interval(ttl),
        interval(poll_interval),
    )
    .fetch_one(conn)
    .await
}

/// A client's turn to poll a sign-in on a device.
pub(crate) struct PollTurn {
    /// The provider's device code.
    pub sealed: Sealed,
    /// Seconds until the next turn.
    pub interval_seconds: i32,
    /// The client polled too early, and the interval is longer now.
    pub early: bool,
}

/// Takes a turn, or lengthens the interval of a client that polls too early; none if the code is unknown, used or
/// expired.
pub(crate) async fn take_turn(
    conn: &mut PgConnection,
    code: &Hash,
) -> sqlx::Result<Option<PollTurn>> {
    let row = sqlx::query!(
        r#"UPDATE auth.sign_ins AS s
           SET poll_interval_s = b.wait, next_poll_at = now() + make_interval(secs => b.wait)
           FROM (SELECT hash, next_poll_at > now() AS early,
                        LEAST(poll_interval_s + CASE WHEN next_poll_at > now() THEN 5 ELSE 0 END, 60) AS wait
                 FROM auth.sign_ins
                 WHERE hash = $1 AND browser_hash IS NULL AND expires_at > now() FOR UPDATE) AS b
           WHERE s.hash = b.hash
           RETURNING s.sealed, s.key_id, b.wait AS "wait!", b.early AS "early!""#,
        code.as_slice(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| PollTurn {
        sealed: Sealed {
            key_id: row.key_id,
            bytes: row.sealed,
        },
        interval_seconds: row.wait,
        early: row.early,
    }))
}

/// Lengthens the interval, because the provider asks for it. Returns the seconds until the next turn.
pub(crate) async fn slow_down(
    conn: &mut PgConnection,
    code: &Hash,
    wanted: i32,
) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar!(
        r#"UPDATE auth.sign_ins SET poll_interval_s = GREATEST(poll_interval_s + 5, $2),
                  next_poll_at = now() + make_interval(secs => GREATEST(poll_interval_s + 5, $2))
           WHERE hash = $1 RETURNING poll_interval_s AS "wait!""#,
        code.as_slice(),
        wanted,
    )
    .fetch_optional(conn)
    .await
}

/// Takes the sign-in of a device. Returns false if it was taken before.
pub(crate) async fn take_device(conn: &mut PgConnection, code: &Hash) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        "DELETE FROM auth.sign_ins WHERE hash = $1 AND browser_hash IS NULL",
        code.as_slice(),
    )
    .execute(conn)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Deletes sign-ins that expired a day ago, and returns how many.
pub(crate) async fn sweep(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let deleted =
        sqlx::query!("DELETE FROM auth.sign_ins WHERE expires_at < now() - interval '1 day'")
            .execute(conn)
            .await?;
    Ok(deleted.rows_affected())
}
