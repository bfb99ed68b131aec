//! The allow-list.
use ck8s_types::UserId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::sql::violated;
use crate::{domain::User, error::AuthError};

struct Row {
    id: Uuid,
    email: String,
    login: Option<String>,
    external_id: Option<String>,
    platform_admin: bool,
    version: i64,
    created_at: OffsetDateTime,
    last_sign_in_at: Option<OffsetDateTime>,
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            email: row.email,
            login: row.login,
            external_id: row.external_id,
            platform_admin: row.platform_admin,
            version: row.version,
            created_at: row.created_at,
            last_sign_in_at: row.last_sign_in_at,
        }
    }
}

/// Adds a user.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    email: &str,
    platform_admin: bool,
) -> Result<User, AuthError> {
    sqlx::query_as!(
        Row,
        "INSERT INTO auth.users (id, email, platform_admin) VALUES ($1, $2, $3)
         RETURNING id, email, login, external_id, platform_admin, version, created_at, last_sign_in_at",
        UserId::new().uuid(),
        email,
        platform_admin,
    )
    .fetch_one(conn)
    .await
    .map(User::from)
    .map_err(|error| match violated(&error) {
        Some("users_email_key") => AuthError::UserExists(email.to_owned()),
        _ => error.into(),
    })
}

/// Returns a user by id, or by address without regard to case.
pub(crate) async fn get(conn: &mut PgConnection, reference: &str) -> Result<User, AuthError> {
    sqlx::query_as!(
        Row,
        "SELECT id, email, login, external_id, platform_admin, version, created_at, last_sign_in_at
         FROM auth.users WHERE id = $1 OR lower(email) = lower($2)",
        Uuid::parse_str(reference).ok(),
        reference.trim(),
    )
    .fetch_optional(conn)
    .await?
    .map(User::from)
    .ok_or_else(|| AuthError::UserNotFound(reference.to_owned()))
}

/// Returns the name of a user in flow events; none if there is no such user.
pub(crate) async fn find_name(conn: &mut PgConnection, id: UserId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(login, email) AS "name!" FROM auth.users WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// Returns users in the order of their addresses, after one in lower case.
pub(crate) async fn list(
    conn: &mut PgConnection,
    after: Option<String>,
    limit: i64,
) -> sqlx::Result<Vec<User>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, email, login, external_id, platform_admin, version, created_at, last_sign_in_at
         FROM auth.users WHERE $1::text IS NULL OR lower(email) > $1 ORDER BY lower(email) LIMIT $2",
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(User::from).collect())
}

/// Returns the platform admins, locked until the transaction ends: no other one demotes or removes them.
pub(crate) async fn lock_platform_admins(conn: &mut PgConnection) -> sqlx::Result<Vec<UserId>> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM auth.users WHERE platform_admin ORDER BY id FOR UPDATE"
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(UserId::from).collect())
}

/// The fields of a user that change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserChange {
    pub platform_admin: Option<bool>,
    /// Forgets the identity, so that the next sign-in pins another one.
    pub forget_identity: bool,
    /// The version that the change is for; none for any.
    pub version: Option<i64>,
}

/// Changes a user. Returns none if there is no such user in that version.
pub(crate) async fn update(
    conn: &mut PgConnection,
    id: UserId,
    change: UserChange,
) -> sqlx::Result<Option<User>> {
    let row = sqlx::query_as!(
        Row,
        "UPDATE auth.users SET platform_admin = coalesce($2, platform_admin),
             login = CASE WHEN $3 THEN NULL ELSE login END, external_id = CASE WHEN $3 THEN NULL ELSE external_id END,
             version = version + 1, updated_at = now()
         WHERE id = $1 AND ($4::bigint IS NULL OR version = $4)
         RETURNING id, email, login, external_id, platform_admin, version, created_at, last_sign_in_at",
        id.uuid(),
        change.platform_admin,
        change.forget_identity,
        change.version,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(User::from))
}

/// Deletes a user with all memberships, sessions and tokens. Returns false if there was no such user.
pub(crate) async fn delete(conn: &mut PgConnection, id: UserId) -> sqlx::Result<bool> {
    let deleted = sqlx::query!("DELETE FROM auth.users WHERE id = $1", id.uuid())
        .execute(conn)
        .await?;
    Ok(deleted.rows_affected() == 1)
}
