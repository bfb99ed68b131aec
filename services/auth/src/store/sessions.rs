//! Sessions and their refresh tokens.
use ck8s_types::{SessionId, UserId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::domain::{Hash, Via};

/// Begins a session: thirty days at most. When it is now.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: SessionId,
    user: UserId,
    via: Via,
) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(
        "INSERT INTO auth.sessions (id, user_id, via, expires_at) VALUES ($1, $2, $3, now() + interval '30 days')
         RETURNING created_at",
        id.uuid(),
        user.uuid(),
        via.word(),
    )
    .fetch_one(conn)
    .await
}

/// Keeps a session's next refresh token: seven days, and not longer than the session. When it is now, and when the token ends.
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

/// A session that nobody else changes until the transaction ends.
#[derive(Debug)]
pub(crate) struct Held {
    pub id: SessionId,
    pub user: UserId,
    /// What people call the user.
    pub name: String,
    /// It has not ended, and it is its time.
    pub live: bool,
}

/// Holds the session of a refresh token, spent or not; none if nobody has such a token.
pub(crate) async fn hold_by_refresh(
    conn: &mut PgConnection,
    hash: &Hash,
) -> sqlx::Result<Option<Held>> {
    let row = sqlx::query!(
        r#"SELECT s.id, s.user_id, COALESCE(u.login, u.email) AS "name!", s.ended_at IS NULL AND s.expires_at > now() AS "live!"
           FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
           WHERE s.id = (SELECT session_id FROM auth.refresh_tokens WHERE hash = $1)
           FOR UPDATE OF s"#,
        hash.as_slice(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Held {
        id: row.id.into(),
        user: row.user_id.into(),
        name: row.name,
        live: row.live,
    }))
}

/// Holds a session; none if there is none.
pub(crate) async fn hold(conn: &mut PgConnection, id: SessionId) -> sqlx::Result<Option<Held>> {
    let row = sqlx::query!(
        r#"SELECT s.id, s.user_id, COALESCE(u.login, u.email) AS "name!", s.ended_at IS NULL AND s.expires_at > now() AS "live!"
           FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
           WHERE s.id = $1
           FOR UPDATE OF s"#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Held {
        id: row.id.into(),
        user: row.user_id.into(),
        name: row.name,
        live: row.live,
    }))
}

/// What became of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spent {
    /// It was good, and is spent now.
    Now,
    /// It was too old.
    TooLate,
    /// It had been spent before.
    Before,
}

/// Spends a refresh token of a session that this transaction holds.
pub(crate) async fn spend(conn: &mut PgConnection, hash: &Hash) -> sqlx::Result<Spent> {
    let in_time = sqlx::query_scalar!(
        r#"UPDATE auth.refresh_tokens SET spent_at = now() WHERE hash = $1 AND spent_at IS NULL
           RETURNING expires_at > now() AS "in_time!""#,
        hash.as_slice(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(match in_time {
        Some(true) => Spent::Now,
        Some(false) => Spent::TooLate,
        None => Spent::Before,
    })
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    SignedOut,
    /// A spent refresh token came again.
    Reused,
}

/// Ends a session that this transaction holds.
pub(crate) async fn end(
    conn: &mut PgConnection,
    id: SessionId,
    because: Because,
) -> sqlx::Result<()> {
    let because = match because {
        Because::SignedOut => "signed_out",
        Because::Reused => "reused",
    };
    sqlx::query!(
        "UPDATE auth.sessions SET ended_at = now(), ended_because = $2 WHERE id = $1 AND ended_at IS NULL",
        id.uuid(),
        because,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a user's session lives.
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

/// Removes a user's sessions.
pub(crate) async fn remove_of(conn: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM auth.sessions WHERE user_id = $1", user.uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets sessions that ended a week ago, with their refresh tokens.
pub(crate) async fn sweep(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM auth.sessions WHERE LEAST(expires_at, ended_at) < now() - interval '7 days'"
    )
    .execute(conn)
    .await?;
    Ok(())
}
