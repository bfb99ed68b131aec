//! Persons: a user with all memberships, read for every token that is shown.
use ck8s_types::{ProjectRole, UserId};
use sqlx::PgConnection;

use crate::{
    domain::{Membership, Person, Scope},
    error::AuthError,
};

/// Returns a user as a person, limited to a scope; none if there is no such user.
pub(crate) async fn get(
    conn: &mut PgConnection,
    user: UserId,
    scope: Scope,
) -> Result<Option<Person>, AuthError> {
    let row = sqlx::query!(
        r#"SELECT COALESCE(login, email) AS "name!", platform_admin,
                  ARRAY(SELECT project_id FROM auth.members WHERE user_id = id ORDER BY project_id) AS "projects!",
                  ARRAY(SELECT role FROM auth.members WHERE user_id = id ORDER BY project_id) AS "roles!"
           FROM auth.users WHERE id = $1"#,
        user.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let membership = |(project, role): (uuid::Uuid, String)| {
        let role: ProjectRole = role.parse().ok()?;
        let project = project.into();
        Some(Membership { project, role })
    };
    let memberships: Option<Vec<_>> = row
        .projects
        .into_iter()
        .zip(row.roles)
        .map(membership)
        .collect();
    let person = Person {
        user_id: user,
        name: row.name,
        platform_admin: row.platform_admin,
        everywhere: None,
        memberships: memberships.ok_or(AuthError::Corrupt("a member's role"))?,
    };
    Ok(Some(person.limited_to(scope)))
}
