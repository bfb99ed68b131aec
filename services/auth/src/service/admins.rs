//! Platform admins that no caller makes: the first one, one that gets back in by the database, and the local one.
use ck8s_db::events::{self, NewEvent};
use ck8s_types::UserId;
use serde_json::json;
use sqlx::PgConnection;

use super::Auth;
use crate::{
    domain::{LOCAL_ADMIN, checked_email},
    error::AuthError,
    store::{
        identities::{self, Made},
        sessions,
    },
};

/// Who acts when a server is started, or a command is run on its database.
const ACTOR: &str = "system";

/// What making somebody a platform admin changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// They are one now, and were none.
    pub made: bool,
    /// Their pinned identity was forgotten, and their sessions with it.
    pub forgotten: bool,
}

impl Auth {
    /// Allows this address and makes it a platform admin, unless there is one who can sign in. Whether it did.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] for what is no address; when the database fails.
    pub async fn ensure_first_admin(&self, address: &str) -> Result<bool, AuthError> {
        let address = checked_email(address)?;
        let mut tx = self.pool.begin().await?;
        if identities::has_admin(&mut tx).await? {
            return Ok(false);
        }
        make(&mut tx, &address).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Allows this address and makes it a platform admin, whoever else is one: the way back in with the database at hand.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] for what is no address; when the database fails.
    pub async fn grant_admin(
        &self,
        address: &str,
        forget_identity: bool,
    ) -> Result<Granted, AuthError> {
        let address = checked_email(address)?;
        let mut tx = self.pool.begin().await?;
        let (user, made) = make(&mut tx, &address).await?;
        let forgotten = forget_identity && identities::forget(&mut tx, user).await?;
        if forgotten {
            sessions::remove_of(&mut tx, user).await?;
            let message = "the identity of the provider was forgotten, and all sessions ended";
            record(&mut tx, "user.updated", user, &address, message).await?;
        }
        tx.commit().await?;
        Ok(Granted {
            made: made != Made::Was,
            forgotten,
        })
    }
}

/// The local admin, made if missing.
pub(super) async fn local_admin(conn: &mut PgConnection) -> Result<UserId, AuthError> {
    Ok(make(conn, LOCAL_ADMIN).await?.0)
}

async fn make(conn: &mut PgConnection, address: &str) -> Result<(UserId, Made), AuthError> {
    let (user, made) = identities::make_admin(conn, address).await?;
    match made {
        Made::Added => {
            let message = "was allowed, as a platform admin";
            record(conn, "user.added", user, address, message).await?;
        }
        Made::Raised => {
            record(
                conn,
                "user.updated",
                user,
                address,
                "is a platform admin now",
            )
            .await?;
        }
        Made::Was => {}
    }
    Ok((user, made))
}

async fn record(
    conn: &mut PgConnection,
    kind: &'static str,
    user: UserId,
    address: &str,
    what: &str,
) -> Result<(), AuthError> {
    let event = NewEvent {
        kind,
        project_id: None,
        run_id: None,
        actor: ACTOR.to_owned(),
        message: format!("user {address:?}: {what}"),
        data: Some(json!({ "user_id": user, "email": address })),
    };
    Ok(events::record(conn, &[event]).await?)
}
