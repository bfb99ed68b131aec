//! Sign-ins that have begun. A row goes when it is used, or a day after its time.
use std::time::Duration;

use ck8s_sealing::Sealed;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::interval;
use crate::domain::Hash;

/// What names a row to the key ring: what is sealed in it opens there alone.
pub(crate) fn associated(hash: &Hash) -> Vec<u8> {
    format!("auth.sign_ins\0{}", hex::encode(hash)).into_bytes()
}

/// Keeps a sign-in in the browser, by its state.
pub(crate) async fn insert_web(
    conn: &mut PgConnection,
    state: &Hash,
    browser: &Hash,
    sealed: &Sealed,
    return_to: &str,
    life: Duration,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO auth.sign_ins (hash, browser_hash, sealed, key_id, return_to, expires_at)
         VALUES ($1, $2, $3, $4, $5, now() + $6::interval)",
        state.as_slice(),
        browser.as_slice(),
        sealed.bytes,
        sealed.key_id,
        return_to,
        interval(life),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Uses up the sign-in of a state, in the browser that began it. Its PKCE verifier, and where the browser goes.
pub(crate) async fn use_web(
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

/// Keeps a sign-in on a device, by our code for it. When it ends.
pub(crate) async fn insert_device(
    conn: &mut PgConnection,
    code: &Hash,
    sealed: &Sealed,
    life: Duration,
    poll_every: Duration,
) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(
        "INSERT INTO auth.sign_ins (hash, sealed, key_id, expires_at, next_poll_at, poll_interval_s)
         VALUES ($1, $2, $3, now() + $4::interval, now() + $5::interval, extract(epoch FROM $5::interval)::integer)
         RETURNING expires_at",
        code.as_slice(),
        sealed.bytes,
        sealed.key_id,
        interval(life),
        interval(poll_every),
    )
    .fetch_one(conn)
    .await
}

/// A turn to ask about a device.
pub(crate) struct Turn {
    /// The provider's code, sealed.
    pub sealed: Sealed,
    /// Seconds until the next turn.
    pub interval: i32,
    /// It came before its time: the wait is longer now.
    pub early: bool,
}

/// Takes a turn, or lengthens the wait of who came too early; none if the code is unknown, used or too old.
pub(crate) async fn take_turn(conn: &mut PgConnection, code: &Hash) -> sqlx::Result<Option<Turn>> {
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
    Ok(row.map(|row| Turn {
        sealed: Sealed {
            key_id: row.key_id,
            bytes: row.sealed,
        },
        interval: row.wait,
        early: row.early,
    }))
}

/// The provider wants to be asked less often. Seconds until the next turn.
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

/// Uses up the sign-in of a device; false if somebody did before.
pub(crate) async fn use_device(conn: &mut PgConnection, code: &Hash) -> sqlx::Result<bool> {
    let used = sqlx::query!(
        "DELETE FROM auth.sign_ins WHERE hash = $1 AND browser_hash IS NULL",
        code.as_slice(),
    )
    .execute(conn)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Forgets what nobody went on with.
pub(crate) async fn sweep(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM auth.sign_ins WHERE expires_at < now() - interval '1 day'")
        .execute(conn)
        .await?;
    Ok(())
}
