//! The sealed values of this service's tables that are still in use, for sealing them again under another key.
use ck8s_sealing::Sealed;
use sqlx::PgConnection;

use crate::domain::{Hash, SigningKeyId};

/// The row of a sealed value.
pub(crate) enum SealedRow {
    /// A key that signs or verifies.
    SigningKey(SigningKeyId),
    /// A sign-in that has started.
    SignIn(Hash),
}

/// Returns the values that are sealed under another key, and locks their rows until the transaction ends.
pub(crate) async fn list_under_other_keys(
    conn: &mut PgConnection,
    key_id: &str,
) -> sqlx::Result<Vec<(SealedRow, Sealed)>> {
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
    let keys = keys.into_iter().map(|row| {
        (
            SealedRow::SigningKey(SigningKeyId(row.id)),
            sealed(row.key_id, row.sealed),
        )
    });
    let sign_ins = sign_ins.into_iter().filter_map(|row| {
        let hash = Hash::try_from(row.hash).ok()?;
        Some((SealedRow::SignIn(hash), sealed(row.key_id, row.sealed)))
    });
    Ok(keys.chain(sign_ins).collect())
}

/// Replaces the sealed value of a row.
pub(crate) async fn update(
    conn: &mut PgConnection,
    row: &SealedRow,
    sealed: &Sealed,
) -> sqlx::Result<()> {
    match row {
        SealedRow::SigningKey(id) => {
            sqlx::query!(
                "UPDATE auth.signing_keys SET sealed = $2, key_id = $3 WHERE id = $1",
                id.0,
                sealed.bytes,
                sealed.key_id
            )
            .execute(conn)
            .await?
        }
        SealedRow::SignIn(hash) => {
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
