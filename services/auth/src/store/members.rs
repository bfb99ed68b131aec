//! Roles of users in projects.
use ck8s_types::{ProjectId, ProjectRole, UserId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::violated;
use crate::{domain::Member, error::AuthError};

struct Row {
    project_id: Uuid,
    user_id: Uuid,
    email: String,
    login: Option<String>,
    role: String,
    created_at: OffsetDateTime,
}

impl TryFrom<Row> for Member {
    type Error = AuthError;

    fn try_from(row: Row) -> Result<Self, AuthError> {
        let role = row.role.parse();
        Ok(Self {
            project_id: row.project_id.into(),
            user_id: row.user_id.into(),
            email: row.email,
            login: row.login,
            role: role.map_err(|_| AuthError::Corrupt("a member's role"))?,
            created_at: row.created_at,
        })
    }
}

/// A member, by project and user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub project_id: ProjectId,
    pub user_id: UserId,
}

/// Members of a project by address, after one in lower case.
pub(crate) async fn list(
    conn: &mut PgConnection,
    project_id: ProjectId,
    after: Option<String>,
    limit: i64,
) -> Result<Vec<Member>, AuthError> {
    sqlx::query_as!(
        Row,
        "SELECT m.project_id, m.user_id, u.email, u.login, m.role, m.created_at
         FROM auth.members m JOIN auth.users u ON u.id = m.user_id
         WHERE m.project_id = $1 AND ($2::text IS NULL OR lower(u.email) > $2)
         ORDER BY lower(u.email) LIMIT $3",
        project_id.uuid(),
        after,
        limit,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Member::try_from)
    .collect()
}

/// A member; none: they are none.
pub(crate) async fn get(conn: &mut PgConnection, key: Key) -> Result<Option<Member>, AuthError> {
    sqlx::query_as!(
        Row,
        "SELECT m.project_id, m.user_id, u.email, u.login, m.role, m.created_at
         FROM auth.members m JOIN auth.users u ON u.id = m.user_id
         WHERE m.project_id = $1 AND m.user_id = $2",
        key.project_id.uuid(),
        key.user_id.uuid(),
    )
    .fetch_optional(conn)
    .await?
    .map(Member::try_from)
    .transpose()
}

/// What became of a member to add.
pub(crate) enum Added {
    /// They are one now.
    Yes,
    /// They were one.
    Before,
    /// The project or the user is gone.
    Gone,
}

/// Adds a member.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    key: Key,
    role: ProjectRole,
) -> sqlx::Result<Added> {
    let done = sqlx::query!(
        "INSERT INTO auth.members (project_id, user_id, role) VALUES ($1, $2, $3)",
        key.project_id.uuid(),
        key.user_id.uuid(),
        role.as_str(),
    )
    .execute(conn)
    .await;
    match done {
        Ok(_) => Ok(Added::Yes),
        Err(error) => match violated(&error) {
            Some("members_pkey") => Ok(Added::Before),
            Some("members_project_id_fkey" | "members_user_id_fkey") => Ok(Added::Gone),
            _ => Err(error),
        },
    }
}

/// Gives a member another role; the one before, or none if they are no member.
pub(crate) async fn update(
    conn: &mut PgConnection,
    key: Key,
    role: ProjectRole,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"UPDATE auth.members m SET role = $3
           FROM (SELECT role FROM auth.members WHERE project_id = $1 AND user_id = $2 FOR UPDATE) AS before
           WHERE m.project_id = $1 AND m.user_id = $2 RETURNING before.role AS "role!""#,
        key.project_id.uuid(),
        key.user_id.uuid(),
        role.as_str(),
    )
    .fetch_optional(conn)
    .await
}

/// Ends a membership. False: there was none.
pub(crate) async fn remove(conn: &mut PgConnection, key: Key) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "DELETE FROM auth.members WHERE project_id = $1 AND user_id = $2",
        key.project_id.uuid(),
        key.user_id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
