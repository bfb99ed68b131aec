//! The keys that sign access tokens. The one without `retires_at` signs; there is one at most, since making one is serialized.
use std::time::Duration;

use ck8s_sealing::Sealed;
use sqlx::{PgConnection, postgres::types::PgInterval};
use uuid::Uuid;

use super::interval;
use crate::{domain::PublicKey, error::AuthError};

/// The advisory lock of whoever makes a key: an arbitrary number, ours alone.
const LOCK: i64 = 0x636b_3873_6b65_7973;

/// The key that signs.
pub(crate) struct Current {
    pub id: Uuid,
    pub sealed: Sealed,
    /// It has signed for long enough.
    pub due: bool,
}

/// The key that signs, and whether it is older than `life`; none if there is none yet.
pub(crate) async fn current(
    conn: &mut PgConnection,
    life: Duration,
) -> sqlx::Result<Option<Current>> {
    let row = sqlx::query!(
        r#"SELECT id, sealed, key_id, created_at <= now() - $1::interval AS "due!" FROM auth.signing_keys
           WHERE retires_at IS NULL ORDER BY created_at DESC LIMIT 1"#,
        interval(life),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Current {
        id: row.id,
        sealed: Sealed {
            key_id: row.key_id,
            bytes: row.sealed,
        },
        due: row.due,
    }))
}

/// Waits until nobody else makes a key; for the rest of the transaction nobody else does.
pub(crate) async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK)
        .execute(conn)
        .await?;
    Ok(())
}

/// Stores the next key. The one before verifies for `overlap` more; `retire` ends all of them now.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: Uuid,
    public: &PublicKey,
    sealed: &Sealed,
    overlap: Duration,
    retire: bool,
) -> sqlx::Result<()> {
    let overlap: PgInterval = interval(if retire { Duration::ZERO } else { overlap });
    sqlx::query!(
        "UPDATE auth.signing_keys SET retires_at = now() + $1::interval
         WHERE retires_at IS NULL OR ($2 AND retires_at > now())",
        overlap,
        retire,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO auth.signing_keys (id, public, sealed, key_id) VALUES ($1, $2, $3, $4)",
        id,
        public.as_slice(),
        sealed.bytes,
        sealed.key_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The public key of this id, if it verifies now, and what time it is, in seconds.
pub(crate) async fn verifying(
    conn: &mut PgConnection,
    id: Uuid,
) -> Result<Option<(PublicKey, i64)>, AuthError> {
    let row = sqlx::query!(
        r#"SELECT public, floor(extract(epoch FROM now()))::bigint AS "now!" FROM auth.signing_keys
           WHERE id = $1 AND (retires_at IS NULL OR retires_at > now())"#,
        id,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((public(&row.public)?, row.now)))
        .transpose()
}

/// All keys that verify now, the newest first.
pub(crate) async fn all_verifying(
    conn: &mut PgConnection,
) -> Result<Vec<(Uuid, PublicKey)>, AuthError> {
    sqlx::query!(
        "SELECT id, public FROM auth.signing_keys WHERE retires_at IS NULL OR retires_at > now() ORDER BY created_at DESC"
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| Ok((row.id, public(&row.public)?)))
    .collect()
}

/// Forgets keys that verify no more.
pub(crate) async fn sweep(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM auth.signing_keys WHERE retires_at < now() - interval '1 day'")
        .execute(conn)
        .await?;
    Ok(())
}

fn public(bytes: &[u8]) -> Result<PublicKey, AuthError> {
    bytes
        .try_into()
        .map_err(|_| AuthError::Corrupt("a public key"))
}
