//! People as callers: a user with all their memberships, looked up for each token that is shown.
use ck8s_types::{ProjectRole, UserId};
use sqlx::PgConnection;

use crate::{
    domain::{Membership, Person, Scope},
    error::AuthError,
};

/// The person that a user is within a scope; none if there is no such user.
pub(crate) async fn person(
    conn: &mut PgConnection,
    user: UserId,
    scope: Scope,
) -> Result<Option<Person>, AuthError> {
    let found = sqlx::query!(
        r#"SELECT COALESCE(login, email) AS "name!", platform_admin,
                  ARRAY(SELECT project_id FROM auth.members WHERE user_id = id ORDER BY project_id) AS "projects!",
                  ARRAY(SELECT role FROM auth.members WHERE user_id = id ORDER BY project_id) AS "roles!"
           FROM auth.users WHERE id = $1"#,
        user.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = found else {
        return Ok(None);
    };
    let member = |(project, role): (uuid::Uuid, String)| {
        let role: ProjectRole = role.parse().ok()?;
        let project = project.into();
        Some(Membership { project, role })
    };
    let memberships: Option<Vec<_>> = row
        .projects
        .into_iter()
        .zip(row.roles)
        .map(member)
        .collect();
    let person = Person {
        user_id: user,
        name: row.name,
        platform_admin: row.platform_admin,
        everywhere: None,
        memberships: memberships.ok_or(AuthError::Corrupt("a member's role"))?,
    };
    Ok(Some(person.within(scope)))
}
