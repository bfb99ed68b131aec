//! Members of a project: listing, adding, changing their role, removing.
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::{EventKind, ProjectId, ProjectRole};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{auth::Auth, call::Call};
use crate::{
    domain::{Member, Project, User},
    error::AuthError,
    store::{
        members::{self, AddOutcome, MemberKey},
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
        call: Call,
        project: &Project,
        user: &str,
        role: ProjectRole,
    ) -> Result<Member, AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(member) = call.repeated(&mut tx).await? {
            return Ok(member);
        }
        let (user, key) = find(&mut tx, project, user).await?;
        match members::insert(&mut tx, key, role).await? {
            AddOutcome::Added => {}
            AddOutcome::AlreadyMember => return Err(AuthError::MemberExists(user.email)),
            AddOutcome::Gone => return Err(AuthError::UserNotFound(user.email)),
        }
        let event = MemberEvent {
            kind: EventKind::MemberAdded,
            message: format!("is a member with the role {role}"),
            data: json!({ "role": role }),
        };
        record(&mut tx, &call, project, &user, event).await?;
        let member = members::get(&mut tx, key).await?;
        let member = member.ok_or(AuthError::MemberNotFound(user.email))?;
        call.keep(&mut tx, &member).await?;
        tx.commit().await?;
        Ok(member)
    }

    pub(crate) async fn update_member(
        &self,
        call: Call,
        project: &Project,
        user: &str,
        role: ProjectRole,
    ) -> Result<Member, AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(member) = call.repeated(&mut tx).await? {
            return Ok(member);
        }
        let (user, key) = find(&mut tx, project, user).await?;
        let Some(former_role) = members::update(&mut tx, key, role).await? else {
            return Err(AuthError::MemberNotFound(user.email));
        };
        let event = MemberEvent {
            kind: EventKind::MemberUpdated,
            message: format!("has the role {role} now"),
            data: json!({ "role": role, "role_before": former_role }),
        };
        record(&mut tx, &call, project, &user, event).await?;
        let member = members::get(&mut tx, key).await?;
        let member = member.ok_or(AuthError::MemberNotFound(user.email))?;
        call.keep(&mut tx, &member).await?;
        tx.commit().await?;
        Ok(member)
    }

    pub(crate) async fn remove_member(
        &self,
        call: Call,
        project: &Project,
        user: &str,
    ) -> Result<(), AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(()) = call.repeated(&mut tx).await? {
            return Ok(());
        }
        let (user, key) = find(&mut tx, project, user).await?;
        if !members::remove(&mut tx, key).await? {
            return Err(AuthError::MemberNotFound(user.email));
        }
        let event = MemberEvent {
            kind: EventKind::MemberRemoved,
            message: "is no member any more".to_owned(),
            data: json!({}),
        };
        record(&mut tx, &call, project, &user, event).await?;
        call.keep(&mut tx, &()).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The flow event of a change.
struct MemberEvent {
    kind: EventKind,
    /// Completes "ada@example.com … in demo".
    message: String,
    data: Value,
}

async fn find(
    conn: &mut PgConnection,
    project: &Project,
    user: &str,
) -> Result<(User, MemberKey), AuthError> {
    let user = users::get(conn, user).await?;
    let key = MemberKey {
        project_id: project.id,
        user_id: user.id,
    };
    Ok((user, key))
}

async fn record(
    conn: &mut PgConnection,
    call: &Call,
    project: &Project,
    user: &User,
    change: MemberEvent,
) -> Result<(), AuthError> {
    let MemberEvent {
        kind,
        message,
        mut data,
    } = change;
    data["user_id"] = json!(user.id);
    data["email"] = json!(user.email);
    let event = FlowEvent {
        kind,
        project_id: Some(project.id),
        run_id: None,
        actor: call.actor.clone(),
        message: format!("{} {message} in {}", user.email, project.slug),
        data: Some(data),
    };
    Ok(events::record(conn, &[event]).await?)
}
