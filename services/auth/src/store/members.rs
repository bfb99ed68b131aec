//! Roles of users in projects.
use ck8s_types::{ProjectId, ProjectRole, UserId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::sql::violated;
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

/// Identifies a member by project and user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemberKey {
    pub project_id: ProjectId,
    pub user_id: UserId,
}

/// Returns the members of a project in the order of their addresses, after one in lower case.
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

/// Returns a member.
pub(crate) async fn get(
    conn: &mut PgConnection,
    key: MemberKey,
) -> Result<Option<Member>, AuthError> {
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

/// The result of adding a member.
pub(crate) enum AddOutcome {
    /// The user is a member now.
    Added,
    /// The user was a member before.
    AlreadyMember,
    /// The project or the user does not exist any more.
    Gone,
}

/// Adds a member.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    key: MemberKey,
    role: ProjectRole,
) -> sqlx::Result<AddOutcome> {
    let inserted = sqlx::query!(
        "INSERT INTO auth.members (project_id, user_id, role) VALUES ($1, $2, $3)",
        key.project_id.uuid(),
        key.user_id.uuid(),
        role.as_str(),
    )
    .execute(conn)
    .await;
    match inserted {
        Ok(_) => Ok(AddOutcome::Added),
        Err(error) => match violated(&error) {
            Some("members_pkey") => Ok(AddOutcome::AlreadyMember),
            Some("members_project_id_fkey" | "members_user_id_fkey") => Ok(AddOutcome::Gone),
            _ => Err(error),
        },
    }
}

/// Gives a member another role and returns the former one; none if the user is not a member.
pub(crate) async fn update(
    conn: &mut PgConnection,
    key: MemberKey,
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

/// Removes a member. Returns false if the user was not one.
pub(crate) async fn remove(conn: &mut PgConnection, key: MemberKey) -> sqlx::Result<bool> {
    let deleted = sqlx::query!(
        "DELETE FROM auth.members WHERE project_id = $1 AND user_id = $2",
        key.project_id.uuid(),
        key.user_id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(deleted.rows_affected() == 1)
}
