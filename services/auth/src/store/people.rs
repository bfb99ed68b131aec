//! A person as their token lets them be: one look, at every call.
use ck8s_types::{ProjectId, UserId};
use sqlx::PgConnection;

use crate::{
    domain::{Person, Scope},
    error::AuthError,
};

/// Who a user is and what they may, cut to a token's scope. None: they are no user any more.
pub(crate) async fn person(
    conn: &mut PgConnection,
    user_id: UserId,
    scope: Scope,
) -> Result<Option<Person>, AuthError> {
    let found = sqlx::query!(
        r#"SELECT coalesce(u.login, u.email) AS "name!", u.platform_admin,
               ARRAY(SELECT m.project_id FROM auth.members m WHERE m.user_id = u.id ORDER BY m.project_id) AS "projects!",
               ARRAY(SELECT m.role FROM auth.members m WHERE m.user_id = u.id ORDER BY m.project_id) AS "roles!"
           FROM auth.users u WHERE u.id = $1"#,
        user_id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = found else {
        return Ok(None);
    };
    let memberships = row
        .projects
        .into_iter()
        .zip(row.roles)
        .map(|(project, role)| {
            let role = role.parse();
            let role = role.map_err(|_| AuthError::Corrupt("a member's role"))?;
            Ok((ProjectId::from(project), role))
        });
    let person = Person {
        user_id,
        name: row.name,
        platform_admin: row.platform_admin,
        everywhere: None,
        memberships: memberships.collect::<Result<_, AuthError>>()?,
    };
    Ok(Some(person.within(scope)))
}

/// What a user is called in flow events; none: they are no user any more.
pub(crate) async fn name(conn: &mut PgConnection, user_id: UserId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(login, email) AS "name!" FROM auth.users WHERE id = $1"#,
        user_id.uuid(),
    )
    .fetch_optional(conn)
    .await
}
