//! One-time sign-in links.
use ck8s_db::events::{self, NewEvent};
use sqlx::PgConnection;

use super::{Auth, admins, admit};
use crate::{
    domain::{self, LOCAL_ADMIN, Secret, Session, Via},
    error::AuthError,
    store::{identities, links},
};

/// Who acts when a code is redeemed: whoever has it.
const ACTOR: &str = "link";

impl Auth {
    /// Makes a sign-in link's code: it works once, within an hour.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn new_link(&self) -> Result<String, AuthError> {
        let code = Secret::new("");
        links::insert(&mut *self.pool.acquire().await?, &code.hash()).await?;
        self.upkeep.sweep(&self.pool);
        Ok(code.expose().to_owned())
    }

    /// Turns a code into a session of the local admin.
    pub(crate) async fn redeem_link(&self, code: &str) -> Result<Session, AuthError> {
        let key = self.signing_key().await?;
        let code = domain::hash(code);
        let mut tx = self.pool.begin().await?;
        if !links::redeem(&mut tx, &code).await? {
            // A code that never was leaves no trace: a stranger could fill the audit trail with them.
            if links::known(&mut tx, &code).await? {
                let message = "a sign-in link that was used or too old was tried";
                record(&mut tx, "link.refused", message.to_owned()).await?;
                tx.commit().await?;
            }
            return Err(AuthError::LinkRefused);
        }
        let user = admins::local_admin(&mut tx).await?;
        identities::sign_in_local(&mut tx, user).await?;
        let session = self.open_session(&mut tx, &key, user, Via::Link).await?;
        let message = format!("a sign-in link was redeemed for session {}", session.id);
        record(&mut tx, "link.redeemed", message).await?;
        admit::succeeded(&mut tx, user, LOCAL_ADMIN, &session, Via::Link).await?;
        tx.commit().await?;
        self.upkeep.sweep(&self.pool);
        Ok(session)
    }
}

async fn record(
    conn: &mut PgConnection,
    kind: &'static str,
    message: String,
) -> Result<(), AuthError> {
    let event = NewEvent {
        kind,
        project_id: None,
        run_id: None,
        actor: ACTOR.to_owned(),
        message,
        data: None,
    };
    Ok(events::record(conn, &[event]).await?)
}
