//! What lies sealed in this service's tables and is of use still, to be sealed again.
use ck8s_sealing::Sealed;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::Hash;

/// Which row a sealed value lies in.
pub(crate) enum At {
    /// A key that signs or verifies.
    SigningKey(Uuid),
    /// A sign-in that has begun.
    SignIn(Hash),
}

/// What lies under another key than this one. Nobody else changes it until the transaction ends.
pub(crate) async fn under_others(
    conn: &mut PgConnection,
    key_id: &str,
) -> sqlx::Result<Vec<(At, Sealed)>> {
    let keys = sqlx::query!(
        "SELECT id, sealed, key_id FROM auth.signing_keys
         WHERE key_id <> $1 AND (retires_at IS NULL OR retires_at > now()) FOR UPDATE",
        key_id
    )
    .fetch_all(&mut *conn)
    .await?;
    let sign_ins = sqlx::query!(
        "SELECT hash, sealed, key_id FROM auth.sign_ins WHERE key_id <> $1 AND expires_at > now() FOR UPDATE",
        key_id
    )
    .fetch_all(conn)
    .await?;
    let sealed = |key_id, bytes| Sealed { key_id, bytes };
    let keys = keys
        .into_iter()
        .map(|row| (At::SigningKey(row.id), sealed(row.key_id, row.sealed)));
    let sign_ins = sign_ins.into_iter().filter_map(|row| {
        let hash = Hash::try_from(row.hash).ok()?;
        Some((At::SignIn(hash), sealed(row.key_id, row.sealed)))
    });
    Ok(keys.chain(sign_ins).collect())
}

/// Puts a value in its row in place of what lay there.
pub(crate) async fn put(conn: &mut PgConnection, at: &At, sealed: &Sealed) -> sqlx::Result<()> {
    match at {
        At::SigningKey(id) => {
            sqlx::query!(
                "UPDATE auth.signing_keys SET sealed = $2, key_id = $3 WHERE id = $1",
                id,
                sealed.bytes,
                sealed.key_id
            )
            .execute(conn)
            .await?
        }
        At::SignIn(hash) => {
            sqlx::query!(
                "UPDATE auth.sign_ins SET sealed = $2, key_id = $3 WHERE hash = $1",
                hash.as_slice(),
                sealed.bytes,
                sealed.key_id
            )
            .execute(conn)
            .await?
        }
    };
    Ok(())
}
