//! Users as sign-in sees them: whose an identity is, pinning it, and the admins that are made without a caller.
use ck8s_types::UserId;
use sqlx::PgConnection;

use super::violated;
use crate::{
    domain::{Identity, LOCAL_ADMIN},
    error::AuthError,
};

/// The user whom the provider's id is pinned to.
pub(crate) async fn pinned(
    conn: &mut PgConnection,
    external_id: &str,
) -> sqlx::Result<Option<UserId>> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM auth.users WHERE external_id = $1 FOR UPDATE",
        external_id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(Into::into))
}

/// A user who is allowed by one of some addresses.
pub(crate) struct Allowed {
    pub id: UserId,
    /// Somebody signed in with the address before.
    pub pinned: bool,
}

/// The users whom these addresses let in, compared without case, in the addresses' order.
pub(crate) async fn allowed(
    conn: &mut PgConnection,
    addresses: &[&str],
) -> sqlx::Result<Vec<Allowed>> {
    let rows = sqlx::query!(
        r#"SELECT id, external_id IS NOT NULL AS "pinned!" FROM auth.users
           WHERE lower(email) = ANY(ARRAY(SELECT lower(a) FROM unnest($1::text[]) AS a))
           ORDER BY array_position(ARRAY(SELECT lower(a) FROM unnest($1::text[]) WITH ORDINALITY AS x (a, nr) ORDER BY nr), lower(email))
           FOR UPDATE"#,
        addresses as &[&str],
    )
    .fetch_all(conn)
    .await?;
    let allowed = rows.into_iter().map(|row| Allowed {
        id: row.id.into(),
        pinned: row.pinned,
    });
    Ok(allowed.collect())
}

/// The user signs in now as this identity, which is pinned from here on.
pub(crate) async fn sign_in(
    conn: &mut PgConnection,
    user: UserId,
    identity: &Identity,
) -> Result<(), AuthError> {
    let updated = sqlx::query!(
        "UPDATE auth.users SET external_id = $2, login = $3, last_sign_in_at = now(), updated_at = now(),
                version = version + CASE WHEN external_id = $2 AND login = $3 THEN 0 ELSE 1 END
         WHERE id = $1 AND (external_id IS NULL OR external_id = $2)",
        user.uuid(),
        identity.id,
        identity.login,
    )
    .execute(conn)
    .await
    .map_err(|error| match violated(&error) {
        // The same person signs in twice at once.
        Some("users_external_id_key") => AuthError::Busy,
        _ => error.into(),
    })?;
    match updated.rows_affected() {
        1 => Ok(()),
        // Somebody else was pinned to the user meanwhile, or the user is gone.
        _ => Err(AuthError::Busy),
    }
}

/// The user with a one-time link signs in now.
pub(crate) async fn sign_in_local(conn: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE auth.users SET last_sign_in_at = now() WHERE id = $1",
        user.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What it took to make somebody a platform admin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// The address was not allowed before.
    Added,
    /// The user was none.
    Raised,
    /// Nothing.
    Was,
}

/// Allows an address and makes its user a platform admin.
pub(crate) async fn make_admin(
    conn: &mut PgConnection,
    address: &str,
) -> sqlx::Result<(UserId, Made)> {
    let added = sqlx::query_scalar!(
        "INSERT INTO auth.users (id, email, platform_admin) VALUES ($1, $2, true)
         ON CONFLICT (lower(email)) DO NOTHING RETURNING id",
        UserId::new().uuid(),
        address,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = added {
        return Ok((id.into(), Made::Added));
    }
    let raised = sqlx::query_scalar!(
        "UPDATE auth.users SET platform_admin = true, updated_at = now(), version = version + 1
         WHERE lower(email) = lower($1) AND NOT platform_admin RETURNING id",
        address,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = raised {
        return Ok((id.into(), Made::Raised));
    }
    let id = sqlx::query_scalar!(
        "SELECT id FROM auth.users WHERE lower(email) = lower($1)",
        address,
    )
    .fetch_one(conn)
    .await?;
    Ok((id.into(), Made::Was))
}

/// Forgets the provider's id of a user; false if none was pinned.
pub(crate) async fn forget(conn: &mut PgConnection, user: UserId) -> sqlx::Result<bool> {
    let forgotten = sqlx::query!(
        "UPDATE auth.users SET external_id = NULL, login = NULL, updated_at = now(), version = version + 1
         WHERE id = $1 AND external_id IS NOT NULL",
        user.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(forgotten.rows_affected() == 1)
}

/// Whether there is a platform admin who can sign in from elsewhere.
pub(crate) async fn has_admin(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM auth.users WHERE platform_admin AND lower(email) <> $1) AS "has!""#,
        LOCAL_ADMIN,
    )
    .fetch_one(conn)
    .await
}
