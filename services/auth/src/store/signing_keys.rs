//! The keys that sign access tokens. The one without `retires_at` signs; there is one at most, because an advisory lock
//! serialises their creation.
use std::time::Duration;

use ck8s_sealing::Sealed;
use sqlx::PgConnection;

use super::sql::interval;
use crate::{
    domain::{PublicKey, SigningKeyId},
    error::AuthError,
};

/// The advisory lock of whoever creates a key: an arbitrary number that nothing else uses.
const ADVISORY_LOCK: i64 = 0x636b_3873_6b65_7973;

/// The key that signs.
pub(crate) struct CurrentKey {
    pub id: SigningKeyId,
    pub sealed: Sealed,
    /// It is older than a key may be, and is due to be replaced.
    pub due: bool,
}

/// Returns the key that signs, and whether it is older than `ttl`; none if there is none yet.
pub(crate) async fn current(
    conn: &mut PgConnection,
    ttl: Duration,
) -> sqlx::Result<Option<CurrentKey>> {
    let row = sqlx::query!(
        r#"SELECT id, sealed, key_id, created_at <= now() - $1::interval AS "due!" FROM auth.signing_keys
           WHERE retires_at IS NULL ORDER BY created_at DESC LIMIT 1"#,
        interval(ttl),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| CurrentKey {
        id: SigningKeyId(row.id),
        sealed: Sealed {
            key_id: row.key_id,
            bytes: row.sealed,
        },
        due: row.due,
    }))
}

/// Waits until no other transaction creates a key, and lets none do so until this one ends.
pub(crate) async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", ADVISORY_LOCK)
        .execute(conn)
        .await?;
    Ok(())
}

/// What happens to the keys before a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormerKeys {
    /// The last one verifies for so long.
    VerifyFor(Duration),
    /// None of them verifies any more.
    Retire,
}

/// Stores the key that signs from now on.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: SigningKeyId,
    public: &PublicKey,
    sealed: &Sealed,
    former: FormerKeys,
) -> sqlx::Result<()> {
    let (overlap, retire) = match former {
        FormerKeys::VerifyFor(overlap) => (overlap, false),
        FormerKeys::Retire => (Duration::ZERO, true),
    };
    sqlx::query!(
        "UPDATE auth.signing_keys SET retires_at = now() + $1::interval
         WHERE retires_at IS NULL OR ($2 AND retires_at > now())",
        interval(overlap),
        retire,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO auth.signing_keys (id, public, sealed, key_id) VALUES ($1, $2, $3, $4)",
        id.0,
        public.as_slice(),
        sealed.bytes,
        sealed.key_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns the public key with this id, if it verifies now, and the current time in seconds since 1970.
pub(crate) async fn find_verifying(
    conn: &mut PgConnection,
    id: SigningKeyId,
) -> Result<Option<(PublicKey, i64)>, AuthError> {
    let row = sqlx::query!(
        r#"SELECT public, floor(extract(epoch FROM now()))::bigint AS "now!" FROM auth.signing_keys
           WHERE id = $1 AND (retires_at IS NULL OR retires_at > now())"#,
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((public_key(&row.public)?, row.now)))
        .transpose()
}

/// Returns all keys that verify now, the newest first.
pub(crate) async fn list_verifying(
    conn: &mut PgConnection,
) -> Result<Vec<(SigningKeyId, PublicKey)>, AuthError> {
    sqlx::query!(
        "SELECT id, public FROM auth.signing_keys WHERE retires_at IS NULL OR retires_at > now() ORDER BY created_at DESC"
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| Ok((SigningKeyId(row.id), public_key(&row.public)?)))
    .collect()
}

/// Deletes keys that stopped verifying a day ago, and returns how many.
pub(crate) async fn sweep(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let deleted =
        sqlx::query!("DELETE FROM auth.signing_keys WHERE retires_at < now() - interval '1 day'")
            .execute(conn)
            .await?;
    Ok(deleted.rows_affected())
}

fn public_key(bytes: &[u8]) -> Result<PublicKey, AuthError> {
    bytes
        .try_into()
        .map_err(|_| AuthError::Corrupt("a public key"))
}
