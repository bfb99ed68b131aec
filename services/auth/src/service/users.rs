//! Users: who may sign in, and who of them is a platform admin.
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::EventKind;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{auth::Auth, call::Call};
use crate::{
    domain::{User, checked_email, invalid},
    error::AuthError,
    store::{
        sessions,
        users::{self, UserChange},
    },
};

/// A change of a user.
pub(crate) struct UserUpdate {
    /// The user's id or address.
    pub user: String,
    /// The version that the caller read; empty for any.
    pub etag: String,
    /// None leaves it as it is.
    pub platform_admin: Option<bool>,
    pub forget_identity: bool,
}

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
        call: Call,
        email: &str,
        platform_admin: bool,
    ) -> Result<User, AuthError> {
        let email = checked_email(email)?;
        let mut tx = self.pool.begin().await?;
        if let Some(user) = call.repeated(&mut tx).await? {
            return Ok(user);
        }
        let user = users::insert(&mut tx, &email, platform_admin).await?;
        let event = UserEvent {
            kind: EventKind::UserAdded,
            message: "may sign in",
            data: json!({ "platform_admin": platform_admin }),
        };
        record(&mut tx, &call, &user, event).await?;
        call.keep(&mut tx, &user).await?;
        tx.commit().await?;
        Ok(user)
    }

    pub(crate) async fn update_user(
        &self,
        call: Call,
        update: UserUpdate,
    ) -> Result<User, AuthError> {
        if update.platform_admin.is_none() && !update.forget_identity {
            return Err(invalid("platform_admin", "something must change").into());
        }
        let mut tx = self.pool.begin().await?;
        if let Some(user) = call.repeated(&mut tx).await? {
            return Ok(user);
        }
        if update.platform_admin == Some(false) {
            check_not_last_admin(&mut tx, &update.user).await?;
        }
        let current = users::get(&mut tx, &update.user).await?;
        let changed = || AuthError::UserChanged(current.email.clone());
        let version = match update.etag.as_str() {
            "" => None,
            etag => Some(etag.parse().map_err(|_| changed())?),
        };
        let change = UserChange {
            platform_admin: update.platform_admin,
            forget_identity: update.forget_identity,
            version,
        };
        let user = users::update(&mut tx, current.id, change).await?;
        let user = user.ok_or_else(changed)?;
        if update.forget_identity {
            // Whoever signed in with the identity must sign in again.
            sessions::delete_of_user(&mut tx, user.id).await?;
        }
        let event = UserEvent {
            kind: EventKind::UserUpdated,
            message: "was changed",
            data: json!({
                "platform_admin": user.platform_admin,
                "was_platform_admin": current.platform_admin,
                "identity_forgotten": update.forget_identity,
            }),
        };
        record(&mut tx, &call, &user, event).await?;
        call.keep(&mut tx, &user).await?;
        tx.commit().await?;
        Ok(user)
    }

    pub(crate) async fn remove_user(&self, call: Call, reference: &str) -> Result<(), AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(()) = call.repeated(&mut tx).await? {
            return Ok(());
        }
        check_not_last_admin(&mut tx, reference).await?;
        let user = users::get(&mut tx, reference).await?;
        if !users::delete(&mut tx, user.id).await? {
            return Err(AuthError::UserNotFound(reference.to_owned()));
        }
        let event = UserEvent {
            kind: EventKind::UserRemoved,
            message: "was removed, with all memberships, sessions and tokens",
            data: json!({}),
        };
        record(&mut tx, &call, &user, event).await?;
        call.keep(&mut tx, &()).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Fails if this user is the only platform admin. Locks the platform admins until the transaction ends, so that two who
/// remove each other at the same time do not both succeed.
async fn check_not_last_admin(conn: &mut PgConnection, reference: &str) -> Result<(), AuthError> {
    let admins = users::lock_platform_admins(conn).await?;
    let user = users::get(conn, reference).await?;
    if admins == [user.id] {
        return Err(AuthError::LastAdmin);
    }
    Ok(())
}

/// The flow event of a change.
struct UserEvent {
    kind: EventKind,
    /// Completes "ada@example.com …".
    message: &'static str,
    data: Value,
}

async fn record(
    conn: &mut PgConnection,
    call: &Call,
    user: &User,
    change: UserEvent,
) -> Result<(), AuthError> {
    let mut data = change.data;
    data["user_id"] = json!(user.id);
    data["email"] = json!(user.email);
    let event = FlowEvent {
        kind: change.kind,
        project_id: None,
        run_id: None,
        actor: call.actor.clone(),
        message: format!("{} {}", user.email, change.message),
        data: Some(data),
    };
    Ok(events::record(conn, &[event]).await?)
}
