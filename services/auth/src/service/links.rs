//! One-time sign-in links.
use ck8s_db::events::{self, NewEvent};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::{Auth, tokens};
use crate::{
    domain::{self, NewToken, Secret, Token, TokenKind},
    error::AuthError,
    store::links,
};

/// How long the token lives that a link gives.
const SESSION: Duration = Duration::hours(12);
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

    /// Turns a code into an admin's token.
    pub(crate) async fn redeem_link(&self, code: &str) -> Result<(Token, Secret), AuthError> {
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
        let kind = TokenKind::Admin;
        let secret = Secret::new(kind.prefix());
        let id = uuid::Uuid::new_v4().simple().to_string();
        let token = NewToken {
            name: format!("link-{}", &id[..12]),
            kind,
            expires_at: Some(OffsetDateTime::now_utc() + SESSION),
        };
        let token = tokens::insert(&mut tx, ACTOR, token, &secret).await?;
        let message = format!("a sign-in link was redeemed for token {:?}", token.name);
        record(&mut tx, "link.redeemed", message).await?;
        tx.commit().await?;
        Ok((token, secret))
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
