//! One-time sign-in links.
use sqlx::PgConnection;

use crate::domain::Hash;

/// Keeps a link for an hour.
pub(crate) async fn insert(conn: &mut PgConnection, code: &Hash) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO auth.links (code_hash, expires_at) VALUES ($1, now() + interval '1 hour')",
        code.as_slice(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Uses a code up; false if it is unknown, used or too old.
pub(crate) async fn redeem(conn: &mut PgConnection, code: &Hash) -> sqlx::Result<bool> {
    let used = sqlx::query!(
        "UPDATE auth.links SET redeemed_at = now()
         WHERE code_hash = $1 AND redeemed_at IS NULL AND expires_at > now()",
        code.as_slice(),
    )
    .execute(conn)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// Whether there ever was such a link.
pub(crate) async fn known(conn: &mut PgConnection, code: &Hash) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM auth.links WHERE code_hash = $1) AS "found!""#,
        code.as_slice(),
    );
    found.fetch_one(conn).await
}

/// Forgets links that ended a week ago.
pub(crate) async fn sweep(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM auth.links WHERE expires_at < now() - interval '7 days'")
        .execute(conn)
        .await?;
    Ok(())
}
