//! One-time sign-in links.
use sqlx::PgConnection;

use crate::domain::Hash;

/// Stores the code of a link, which works for an hour.
pub(crate) async fn insert(conn: &mut PgConnection, code: &Hash) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO auth.links (code_hash, expires_at) VALUES ($1, now() + interval '1 hour')",
        code.as_slice(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Redeems a code. Returns false if it is unknown, was redeemed before or has expired.
pub(crate) async fn redeem(conn: &mut PgConnection, code: &Hash) -> sqlx::Result<bool> {
    let redeemed = sqlx::query!(
        "UPDATE auth.links SET redeemed_at = now()
         WHERE code_hash = $1 AND redeemed_at IS NULL AND expires_at > now()",
        code.as_slice(),
    )
    .execute(conn)
    .await?;
    Ok(redeemed.rows_affected() == 1)
}

/// Reports whether a code exists, in whatever state.
pub(crate) async fn exists(conn: &mut PgConnection, code: &Hash) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM auth.links WHERE code_hash = $1) AS "found!""#,
        code.as_slice(),
    );
    found.fetch_one(conn).await
}

/// Deletes links that expired a week ago, and returns how many.
pub(crate) async fn sweep(conn: &mut PgConnection) -> sqlx::Result<u64> {
    let deleted =
        sqlx::query!("DELETE FROM auth.links WHERE expires_at < now() - interval '7 days'")
            .execute(conn)
            .await?;
    Ok(deleted.rows_affected())
}
