//! Who may come in: whom the provider names must be on the allow-list, by an address that it verified; at the first sign-in their id
//! is pinned, and from then on it alone says who they are.
use std::time::Instant;

use ck8s_db::events::{self, NewEvent};
use ck8s_types::UserId;
use serde_json::json;
use sqlx::PgConnection;

use super::Auth;
use crate::{
    domain::{Hash, Identity, Session, Via},
    error::{AuthError, SignInError},
    store::{identities, sign_ins},
};

/// Who acts while nobody is known.
const NOBODY: &str = "anonymous";

impl Auth {
    /// A session for somebody, if they may. On a device, `code` is used up with it.
    pub(super) async fn admit(
        &self,
        identity: &Identity,
        via: Via,
        code: Option<&Hash>,
    ) -> Result<Session, AuthError> {
        let key = self.signing_key().await?;
        let asked = self
            .sign_in()?
            .identities
            .take(identity.id.clone(), Instant::now());
        asked.map_err(|wait| SignInError::TooMany {
            what: "sign-ins of this account",
            wait,
        })?;
        let mut tx = self.pool.begin().await?;
        if let Some(code) = code
            && !sign_ins::use_device(&mut tx, code).await?
        {
            return Err(SignInError::DeviceCodeRefused.into());
        }
        let user = match find(&mut tx, identity).await? {
            Ok(user) => user,
            Err(refusal) => {
                refused(&mut tx, Some(&identity.login), &refusal, via).await?;
                tx.commit().await?;
                return Err(refusal.into());
            }
        };
        identities::sign_in(&mut tx, user, identity).await?;
        let session = self.open_session(&mut tx, &key, user, via).await?;
        succeeded(&mut tx, user, &identity.login, &session, via).await?;
        tx.commit().await?;
        self.upkeep.sweep(&self.pool);
        Ok(session)
    }

    /// Writes down that somebody said no at the provider.
    pub(super) async fn declined(&self, via: Via) -> Result<(), AuthError> {
        let mut conn = self.pool.acquire().await?;
        refused(&mut conn, None, &SignInError::AccessDenied, via).await
    }
}

/// The user that an identity is, or why it is none.
async fn find(
    conn: &mut PgConnection,
    identity: &Identity,
) -> Result<Result<UserId, SignInError>, AuthError> {
    if let Some(user) = identities::pinned(conn, &identity.id).await? {
        return Ok(Ok(user));
    }
    let allowed = identities::allowed(conn, &identity.verified()).await?;
    if let Some(user) = allowed.iter().find(|user| !user.pinned) {
        return Ok(Ok(user.id));
    }
    Ok(Err(if !allowed.is_empty() {
        SignInError::OtherIdentity
    } else if identity.has_unverified() {
        SignInError::AddressNotVerified
    } else {
        SignInError::NotAllowed
    }))
}

/// Records a sign-in.
pub(super) async fn succeeded(
    conn: &mut PgConnection,
    user: UserId,
    name: &str,
    session: &Session,
    via: Via,
) -> Result<(), AuthError> {
    let event = NewEvent {
        kind: "sign_in.succeeded",
        project_id: None,
        run_id: None,
        actor: format!("user:{name}"),
        message: format!("user {name:?} signed in"),
        data: Some(json!({ "user_id": user, "session_id": session.id, "via": via.word() })),
    };
    Ok(events::record(conn, &[event]).await?)
}

async fn refused(
    conn: &mut PgConnection,
    login: Option<&str>,
    refusal: &SignInError,
    via: Via,
) -> Result<(), AuthError> {
    let event = NewEvent {
        kind: "sign_in.refused",
        project_id: None,
        run_id: None,
        actor: NOBODY.to_owned(),
        message: match login {
            Some(login) => format!("GitHub user {login:?} was not let in: {refusal}"),
            None => format!("somebody was not let in: {refusal}"),
        },
        data: Some(json!({ "login": login, "reason": refusal.refusal(), "via": via.word() })),
    };
    Ok(events::record(conn, &[event]).await?)
}
