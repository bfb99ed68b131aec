//! Sessions and their refresh tokens.
use ck8s_types::{SessionId, UserId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{Hash, Salt, SignInMethod};

/// Stores a session, which lasts thirty days at most. Returns the current time.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: SessionId,
    user: UserId,
    method: SignInMethod,
) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(
        "INSERT INTO auth.sessions (id, user_id, via, expires_at) VALUES ($1, $2, $3, now() + interval '30 days')
         RETURNING created_at",
        id.uuid(),
        user.uuid(),
        method.as_str(),
    )
    .fetch_one(conn)
    .await
}

/// Stores a session's next refresh token, which lasts seven days and no longer than the session. Returns the current
/// time and the time at which the token expires.
pub(crate) async fn insert_refresh(
    conn: &mut PgConnection,
    session: SessionId,
    hash: &Hash,
) -> sqlx::Result<(OffsetDateTime, OffsetDateTime)> {
    let row = sqlx::query!(
        "INSERT INTO auth.refresh_tokens (hash, session_id, expires_at)
         SELECT $1, id, LEAST(expires_at, now() + interval '7 days') FROM auth.sessions WHERE id = $2
         RETURNING created_at, expires_at",
        hash.as_slice(),
        session.uuid(),
    )
    .fetch_one(conn)
    .await?;
    Ok((row.created_at, row.expires_at))
}

/// A session whose row is locked until the transaction ends.
#[derive(Debug)]
pub(crate) struct LockedSession {
    pub id: SessionId,
    pub user_id: UserId,
    /// The user's login, else the address.
    pub name: String,
    /// It was not ended and has not expired.
    pub live: bool,
}

/// Locks the session of a refresh token, spent or not; none if there is no such token.
pub(crate) async fn lock_by_refresh_token(
    conn: &mut PgConnection,
    hash: &Hash,
) -> sqlx::Result<Option<LockedSession>> {
    let row = sqlx::query!(
        r#"SELECT s.id, s.user_id, COALESCE(u.login, u.email) AS "name!", s.ended_at IS NULL AND s.expires_at > now() AS "live!"
           FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
           WHERE s.id = (SELECT session_id FROM auth.refresh_tokens WHERE hash = $1)
           FOR UPDATE OF s"#,
        hash.as_slice(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| LockedSession {
        id: row.id.into(),
        user_id: row.user_id.into(),
        name: row.name,
        live: row.live,
    }))
}

/// Locks a session; none if there is none.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    id: SessionId,
) -> sqlx::Result<Option<LockedSession>> {
    let row = sqlx::query!(
        r#"SELECT s.id, s.user_id, COALESCE(u.login, u.email) AS "name!", s.ended_at IS NULL AND s.expires_at > now() AS "live!"
           FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
           WHERE s.id = $1
           FOR UPDATE OF s"#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| LockedSession {
        id: row.id.into(),
        user_id: row.user_id.into(),
        name: row.name,
        live: row.live,
    }))
}

/// For how long the token that was spent last is answered again: as long as a client tries again whose answer was lost.
const LEEWAY_SECONDS: f64 = 20.0;

/// The result of spending a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpendOutcome {
    /// The token was valid and is spent now.
    Spent,
    /// The token had expired.
    Expired,
    /// The token was spent just now, and its successor was made with this salt.
    JustSpent(Salt),
    /// The token was spent before.
    Reused,
}

/// Spends a refresh token of a session that this transaction has locked. `salt` makes its successor.
pub(crate) async fn spend(
    conn: &mut PgConnection,
    hash: &Hash,
    salt: &Salt,
) -> sqlx::Result<SpendOutcome> {
    let in_time = sqlx::query_scalar!(
        r#"UPDATE auth.refresh_tokens SET spent_at = now(), successor_salt = $2 WHERE hash = $1 AND spent_at IS NULL
           RETURNING expires_at > now() AS "in_time!""#,
        hash.as_slice(),
        salt.as_slice(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    match in_time {
        Some(true) => return Ok(SpendOutcome::Spent),
        Some(false) => return Ok(SpendOutcome::Expired),
        None => {}
    }
    let salt = sqlx::query_scalar!(
        r#"SELECT successor_salt AS "salt!" FROM auth.refresh_tokens
           WHERE hash = $1 AND spent_at > now() - make_interval(secs => $2) AND successor_salt IS NOT NULL"#,
        hash.as_slice(),
        LEEWAY_SECONDS,
    )
    .fetch_optional(conn)
    .await?;
    let salt = salt.and_then(|salt| Salt::try_from(salt).ok());
    Ok(salt.map_or(SpendOutcome::Reused, SpendOutcome::JustSpent))
}

/// Returns the current time and the time at which a session's refresh token expires; none if it was spent or has
/// expired.
pub(crate) async fn find_unspent(
    conn: &mut PgConnection,
    session: SessionId,
    hash: &Hash,
) -> sqlx::Result<Option<(OffsetDateTime, OffsetDateTime)>> {
    let row = sqlx::query!(
        r#"SELECT now() AS "now!", expires_at FROM auth.refresh_tokens
           WHERE hash = $1 AND session_id = $2 AND spent_at IS NULL AND expires_at > now()"#,
        hash.as_slice(),
        session.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.now, row.expires_at)))
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndReason {
    SignedOut,
    /// A spent refresh token was used again.
    RefreshTokenReused,
}

/// Ends a session that this transaction has locked.
pub(crate) async fn end(
    conn: &mut PgConnection,
    id: SessionId,
    reason: EndReason,
) -> sqlx::Result<()> {
    let reason = match reason {
        EndReason::SignedOut => "signed_out",
        EndReason::RefreshTokenReused => "reused",
    };
    sqlx::query!(
        "UPDATE auth.sessions SET ended_at = now(), ended_because = $2 WHERE id = $1 AND ended_at IS NULL",
        id.uuid(),
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Reports whether a session is this user's, was not ended and has not expired.
pub(crate) async fn is_live(
    conn: &mut PgConnection,
    id: SessionId,
    user: UserId,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM auth.sessions
               WHERE id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > now()) AS "live!""#,
        id.uuid(),
        user.uuid(),
    )
    .fetch_one(conn)
    .await
}

/// Deletes all sessions of a user.
pub(crate) async fn delete_of_user(conn: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM auth.sessions WHERE user_id = $1", user.uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// Deletes sessions that ended a week ago, with their refresh tokens, and returns how many.
pub(crate) async fn sweep(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let deleted = sqlx::query!(
        "DELETE FROM auth.sessions WHERE LEAST(expires_at, ended_at) < now() - interval '7 days'"
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected())
}
