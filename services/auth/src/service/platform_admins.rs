//! Platform admins that no caller makes: the first one, one that an operator grants at the database, and the local one.
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::{EventKind, UserId};
use serde_json::json;
use sqlx::PgConnection;

use super::initial_credentials::{Bootstrap, SYSTEM_ACTOR};
use crate::{
    domain::{LOCAL_ADMIN_EMAIL, checked_email},
    error::AuthError,
    store::{
        identities::{self, Promotion},
        sessions,
    },
};

/// What granting platform admin changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminGrant {
    /// The user is a platform admin now and was none before.
    pub promoted: bool,
    /// The pinned identity was forgotten, and the user's sessions were ended.
    pub identity_forgotten: bool,
}

impl Bootstrap {
    /// Makes the user with this address a platform admin, unless there is one other than the local admin. Returns
    /// whether it did.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] for a text that is not an address; the database fails.
    pub async fn ensure_first_admin(&self, address: &str) -> Result<bool, AuthError> {
        let address = checked_email(address)?;
        let mut tx = self.pool.begin().await?;
        if identities::has_admin(&mut tx).await? {
            return Ok(false);
        }
        promote(&mut tx, &address).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Makes the user with this address a platform admin, whoever else is one: the way back in for whoever has the
    /// database.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] for a text that is not an address; the database fails.
    pub async fn grant_admin(
        &self,
        address: &str,
        forget_identity: bool,
    ) -> Result<AdminGrant, AuthError> {
        let address = checked_email(address)?;
        let mut tx = self.pool.begin().await?;
        let (user, promotion) = promote(&mut tx, &address).await?;
        let identity_forgotten = forget_identity && identities::forget(&mut tx, user).await?;
        if identity_forgotten {
            sessions::delete_of_user(&mut tx, user).await?;
            let message = "the identity of the provider was forgotten, and all sessions ended";
            record(&mut tx, EventKind::UserUpdated, user, &address, message).await?;
        }
        tx.commit().await?;
        Ok(AdminGrant {
            promoted: promotion != Promotion::Unchanged,
            identity_forgotten,
        })
    }
}

/// Returns the local admin, who is added if missing.
pub(super) async fn local_admin(conn: &mut PgConnection) -> Result<UserId, AuthError> {
    Ok(promote(conn, LOCAL_ADMIN_EMAIL).await?.0)
}

async fn promote(conn: &mut PgConnection, address: &str) -> Result<(UserId, Promotion), AuthError> {
    let (user, promotion) = identities::promote_to_admin(conn, address).await?;
    let event = match promotion {
        Promotion::Added => Some((EventKind::UserAdded, "was added as a platform admin")),
        Promotion::Promoted => Some((EventKind::UserUpdated, "is a platform admin now")),
        Promotion::Unchanged => None,
    };
    if let Some((kind, message)) = event {
        record(conn, kind, user, address, message).await?;
    }
    Ok((user, promotion))
}

async fn record(
    conn: &mut PgConnection,
    kind: EventKind,
    user: UserId,
    address: &str,
    what: &str,
) -> Result<(), AuthError> {
    let event = FlowEvent {
        kind,
        project_id: None,
        run_id: None,
        actor: SYSTEM_ACTOR.to_owned(),
        message: format!("user {address:?}: {what}"),
        data: Some(json!({ "user_id": user, "email": address })),
    };
    Ok(events::record(conn, &[event]).await?)
}
