//! One-time sign-in links, which open a session of the local admin.
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::EventKind;
use sqlx::PgConnection;

use super::{admission, auth::Auth, initial_credentials::Bootstrap, platform_admins};
use crate::{
    domain::{self, LOCAL_ADMIN_EMAIL, Secret, Session, SignInMethod},
    error::AuthError,
    store::{identities, sign_in_links},
};

/// The actor of a redeemed link in flow events: whoever has it.
const LINK_ACTOR: &str = "link";

impl Bootstrap {
    /// Creates the code of a sign-in link, which works once within an hour.
    ///
    /// # Errors
    /// The database fails.
    pub async fn create_link(&self) -> Result<String, AuthError> {
        let code = Secret::generate("");
        sign_in_links::insert(&mut *self.pool.acquire().await?, &code.hash()).await?;
        Ok(code.expose().to_owned())
    }
}

impl Auth {
    /// Opens a session of the local admin for a link's code.
    pub(crate) async fn redeem_link(&self, code: &str) -> Result<Session, AuthError> {
        let key = self.signing_key().await?;
        let code = domain::hash(code);
        let mut tx = self.pool.begin().await?;
        if !sign_in_links::redeem(&mut tx, &code).await? {
            // A code that never existed is not recorded: a stranger could fill the audit trail.
            if sign_in_links::exists(&mut tx, &code).await? {
                let message = "a sign-in link that was used or too old was tried";
                record(&mut tx, EventKind::LinkRefused, message.to_owned()).await?;
                tx.commit().await?;
            }
            return Err(AuthError::LinkRefused);
        }
        let method = SignInMethod::Link;
        let user = platform_admins::local_admin(&mut tx).await?;
        identities::record_link_sign_in(&mut tx, user).await?;
        let session = self.open_session(&mut tx, &key, user, method).await?;
        let message = format!("a sign-in link was redeemed for session {}", session.id);
        record(&mut tx, EventKind::LinkRedeemed, message).await?;
        admission::record_success(&mut tx, user, LOCAL_ADMIN_EMAIL, &session, method).await?;
        tx.commit().await?;
        Ok(session)
    }
}

async fn record(
    conn: &mut PgConnection,
    kind: EventKind,
    message: String,
) -> Result<(), AuthError> {
    let event = FlowEvent {
        kind,
        project_id: None,
        run_id: None,
        actor: LINK_ACTOR.to_owned(),
        message,
        data: None,
    };
    Ok(events::record(conn, &[event]).await?)
}
