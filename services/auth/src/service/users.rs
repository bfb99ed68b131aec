//! The allow-list: who may sign in, and who of them may do everything.
use ck8s_db::events::{self, NewEvent};
use ck8s_proto::auth::v1 as pb;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{Auth, By};
use crate::{
    domain::{User, checked_email, invalid},
    error::AuthError,
    store::{
        sessions,
        users::{self, Change},
    },
};

impl Auth {
    pub(crate) async fn list_users(
        &self,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<User>, AuthError> {
        Ok(users::list(&mut *self.pool.acquire().await?, after, limit).await?)
    }

    pub(crate) async fn add_user(
        &self,
        by: By,
        email: &str,
        platform_admin: bool,
    ) -> Result<pb::AddUserResponse, AuthError> {
        let email = checked_email(email)?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "AddUser").await? {
            return Ok(answer);
        }
        let user = users::insert(&mut tx, &email, platform_admin).await?;
        let data = json!({ "platform_admin": platform_admin });
        record(&mut tx, "user.added", &by, &user, "may sign in", data).await?;
        let response = pb::AddUserResponse {
            user: Some(user.into()),
        };
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    pub(crate) async fn update_user(
        &self,
        by: By,
        request: &pb::UpdateUserRequest,
    ) -> Result<pb::UpdateUserResponse, AuthError> {
        if request.platform_admin.is_none() && !request.forget_identity {
            return Err(invalid("platform_admin", "something must change").into());
        }
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "UpdateUser").await? {
            return Ok(answer);
        }
        if request.platform_admin == Some(false) {
            stays_an_admin(&mut tx, &request.user).await?;
        }
        let read = users::get(&mut tx, &request.user).await?;
        let changed = || AuthError::UserChanged(read.email.clone());
        let version = match request.etag.as_str() {
            "" => None,
            etag => Some(etag.parse().map_err(|_| changed())?),
        };
        let change = Change {
            platform_admin: request.platform_admin,
            forget_identity: request.forget_identity,
            version,
        };
        let user = users::update(&mut tx, read.id, change).await?;
        let user = user.ok_or_else(changed)?;
        if request.forget_identity {
            // Whoever signed in with it signs in anew, or not at all.
            sessions::remove_of(&mut tx, user.id).await?;
        }
        let data = json!({
            "platform_admin": user.platform_admin,
            "was_platform_admin": read.platform_admin,
            "identity_forgotten": request.forget_identity,
        });
        record(&mut tx, "user.updated", &by, &user, "was changed", data).await?;
        let response = pb::UpdateUserResponse {
            user: Some(user.into()),
        };
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    pub(crate) async fn remove_user(
        &self,
        by: By,
        reference: &str,
    ) -> Result<pb::RemoveUserResponse, AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "RemoveUser").await? {
            return Ok(answer);
        }
        stays_an_admin(&mut tx, reference).await?;
        let user = users::get(&mut tx, reference).await?;
        if !users::remove(&mut tx, user.id).await? {
            return Err(AuthError::UserNotFound(reference.to_owned()));
        }
        let what = "was removed, with all memberships, sessions and tokens";
        record(&mut tx, "user.removed", &by, &user, what, json!({})).await?;
        let response = pb::RemoveUserResponse {};
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }
}

/// That a platform admin is left without this user. Holds the platform admins until the transaction ends, so that two who remove each
/// other at once do not both succeed.
async fn stays_an_admin(conn: &mut PgConnection, reference: &str) -> Result<(), AuthError> {
    let admins = users::lock_platform_admins(conn).await?;
    let user = users::get(conn, reference).await?;
    if admins == [user.id] {
        return Err(AuthError::LastAdmin);
    }
    Ok(())
}

async fn record(
    conn: &mut PgConnection,
    kind: &'static str,
    by: &By,
    user: &User,
    what: &str,
    mut data: Value,
) -> Result<(), AuthError> {
    data["user_id"] = json!(user.id);
    data["email"] = json!(user.email);
    let event = NewEvent {
        kind,
        project_id: None,
        run_id: None,
        actor: by.actor.clone(),
        message: format!("{} {what}", user.email),
        data: Some(data),
    };
    Ok(events::record(conn, &[event]).await?)
}
