//! The provider's identities of users: finding a user by one, pinning it, forgetting it; and the platform admins that
//! no caller makes.
use ck8s_types::UserId;
use sqlx::PgConnection;

use super::sql::violated;
use crate::{
    domain::{Identity, LOCAL_ADMIN_EMAIL},
    error::AuthError,
};

/// Returns the user to whom the provider's id is pinned.
pub(crate) async fn find_pinned(
    conn: &mut PgConnection,
    external_id: &str,
) -> sqlx::Result<Option<UserId>> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM auth.users WHERE external_id = $1 FOR UPDATE",
        external_id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(Into::into))
}

/// A user whose address is among those of an identity.
pub(crate) struct AllowedUser {
    pub id: UserId,
    /// An identity is pinned: somebody has signed in as this user before.
    pub pinned: bool,
}

/// Returns the users with these addresses, compared without case, in the order of the addresses.
pub(crate) async fn find_by_address(
    conn: &mut PgConnection,
    addresses: &[&str],
) -> sqlx::Result<Vec<AllowedUser>> {
    let rows = sqlx::query!(
        r#"SELECT id, external_id IS NOT NULL AS "pinned!" FROM auth.users
           WHERE lower(email) = ANY(ARRAY(SELECT lower(a) FROM unnest($1::text[]) AS a))
           ORDER BY array_position(ARRAY(SELECT lower(a) FROM unnest($1::text[]) WITH ORDINALITY AS x (a, nr) ORDER BY nr), lower(email))
           FOR UPDATE"#,
        addresses as &[&str],
    )
    .fetch_all(conn)
    .await?;
    let users = rows.into_iter().map(|row| AllowedUser {
        id: row.id.into(),
        pinned: row.pinned,
    });
    Ok(users.collect())
}

/// Records that a user signs in as this identity, and pins it.
pub(crate) async fn record_sign_in(
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
        // The same identity signs in twice at once.
        Some("users_external_id_key") => AuthError::Busy,
        _ => error.into(),
    })?;
    match updated.rows_affected() {
        1 => Ok(()),
        // Another identity was pinned to the user meanwhile, or the user was removed.
        _ => Err(AuthError::Busy),
    }
}

/// Records that a user signs in with a one-time link.
pub(crate) async fn record_link_sign_in(conn: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE auth.users SET last_sign_in_at = now() WHERE id = $1",
        user.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How a user became a platform admin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promotion {
    /// The user was added.
    Added,
    /// An existing user was promoted.
    Promoted,
    /// The user was a platform admin before.
    Unchanged,
}

/// Makes the user with this address a platform admin; adds the user if there is none.
pub(crate) async fn promote_to_admin(
    conn: &mut PgConnection,
    address: &str,
) -> sqlx::Result<(UserId, Promotion)> {
    let added = sqlx::query_scalar!(
        "INSERT INTO auth.users (id, email, platform_admin) VALUES ($1, $2, true)
         ON CONFLICT (lower(email)) DO NOTHING RETURNING id",
        UserId::new().uuid(),
        address,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = added {
        return Ok((id.into(), Promotion::Added));
    }
    let promoted = sqlx::query_scalar!(
        "UPDATE auth.users SET platform_admin = true, updated_at = now(), version = version + 1
         WHERE lower(email) = lower($1) AND NOT platform_admin RETURNING id",
        address,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = promoted {
        return Ok((id.into(), Promotion::Promoted));
    }
    let id = sqlx::query_scalar!(
        "SELECT id FROM auth.users WHERE lower(email) = lower($1)",
        address,
    )
    .fetch_one(conn)
    .await?;
    Ok((id.into(), Promotion::Unchanged))
}

/// Forgets a user's identity. Returns false if none was pinned.
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

/// Reports whether there is a platform admin other than the local one.
pub(crate) async fn has_admin(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM auth.users WHERE platform_admin AND lower(email) <> $1) AS "has!""#,
        LOCAL_ADMIN_EMAIL,
    )
    .fetch_one(conn)
    .await
}
