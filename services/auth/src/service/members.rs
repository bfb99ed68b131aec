//! Who may do what in a project.
use ck8s_db::events::{self, NewEvent};
use ck8s_proto::auth::v1 as pb;
use ck8s_types::{ProjectId, ProjectRole};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Auth, By};
use crate::{
    domain::{Member, Project, User},
    error::AuthError,
    store::{
        members::{self, Added, Key},
        users,
    },
};

impl Auth {
    pub(crate) async fn list_members(
        &self,
        project: ProjectId,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<Member>, AuthError> {
        members::list(&mut *self.pool.acquire().await?, project, after, limit).await
    }

    pub(crate) async fn add_member(
        &self,
        by: By,
        project: &Project,
        user: &str,
        role: ProjectRole,
    ) -> Result<pb::AddMemberResponse, AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "AddMember").await? {
            return Ok(answer);
        }
        let (user, key) = named(&mut tx, project, user).await?;
        match members::insert(&mut tx, key, role).await? {
            Added::Yes => {}
            Added::Before => return Err(AuthError::MemberExists(user.email)),
            Added::Gone => return Err(AuthError::UserNotFound(user.email)),
        }
        let data = json!({ "role": role });
        record(&mut tx, "member.added", &by, project, &user, data).await?;
        let response = pb::AddMemberResponse {
            member: members::get(&mut tx, key).await?.map(Into::into),
        };
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    pub(crate) async fn update_member(
        &self,
        by: By,
        project: &Project,
        user: &str,
        role: ProjectRole,
    ) -> Result<pb::UpdateMemberResponse, AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "UpdateMember").await? {
            return Ok(answer);
        }
        let (user, key) = named(&mut tx, project, user).await?;
        let Some(before) = members::update(&mut tx, key, role).await? else {
            return Err(AuthError::MemberNotFound(user.email));
        };
        let data = json!({ "role": role, "role_before": before });
        record(&mut tx, "member.updated", &by, project, &user, data).await?;
        let response = pb::UpdateMemberResponse {
            member: members::get(&mut tx, key).await?.map(Into::into),
        };
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    pub(crate) async fn remove_member(
        &self,
        by: By,
        project: &Project,
        user: &str,
    ) -> Result<pb::RemoveMemberResponse, AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "RemoveMember").await? {
            return Ok(answer);
        }
        let (user, key) = named(&mut tx, project, user).await?;
        if !members::remove(&mut tx, key).await? {
            return Err(AuthError::MemberNotFound(user.email));
        }
        record(&mut tx, "member.removed", &by, project, &user, json!({})).await?;
        let response = pb::RemoveMemberResponse {};
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }
}

async fn named(
    conn: &mut PgConnection,
    project: &Project,
    user: &str,
) -> Result<(User, Key), AuthError> {
    let user = users::get(conn, user).await?;
    let key = Key {
        project_id: project.id,
        user_id: user.id,
    };
    Ok((user, key))
}

async fn record(
    conn: &mut PgConnection,
    kind: &'static str,
    by: &By,
    project: &Project,
    user: &User,
    mut data: Value,
) -> Result<(), AuthError> {
    data["user_id"] = json!(user.id);
    data["email"] = json!(user.email);
    let what = match (kind, data["role"].as_str()) {
        ("member.removed", _) | (_, None) => "is no member any more".to_owned(),
        ("member.added", Some(role)) => format!("is a member with the role {role}"),
        (_, Some(role)) => format!("has the role {role} now"),
    };
    let event = NewEvent {
        kind,
        project_id: Some(project.id),
        run_id: None,
        actor: by.actor.clone(),
        message: format!("{} {what} in {}", user.email, project.slug),
        data: Some(data),
    };
    Ok(events::record(conn, &[event]).await?)
}
