//! Admission: a person gets a session if an address that the provider verified is on the allow-list. The first sign-in
//! pins the provider's id to the user; from then on the id alone identifies them.
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::{EventKind, UserId};
use serde_json::json;
use sqlx::PgConnection;

use super::auth::Auth;
use crate::{
    domain::{Hash, Identity, Session, SignInMethod},
    error::{AuthError, SignInError},
    store::{identities, sign_ins},
};

/// The actor of a refused sign-in in flow events.
const ANONYMOUS_ACTOR: &str = "anonymous";

impl Auth {
    /// Opens a session for an identity, if it may sign in. For a device, this takes the sign-in of `device_code`.
    pub(super) async fn admit(
        &self,
        identity: &Identity,
        method: SignInMethod,
        device_code: Option<&Hash>,
    ) -> Result<Session, AuthError> {
        let key = self.signing_key().await?;
        let rate = &self.sign_in()?.sign_in_rate;
        rate.check(identity.id.clone())
            .map_err(|wait| SignInError::TooMany {
                what: "sign-ins of this account",
                wait,
            })?;
        let mut tx = self.pool.begin().await?;
        if let Some(code) = device_code
            && !sign_ins::take_device(&mut tx, code).await?
        {
            return Err(SignInError::DeviceCodeRefused.into());
        }
        let user = match find_user(&mut tx, identity).await? {
            Ok(user) => user,
            Err(refusal) => {
                record_refusal(&mut tx, Some(&identity.login), &refusal, method).await?;
                tx.commit().await?;
                return Err(refusal.into());
            }
        };
        identities::record_sign_in(&mut tx, user, identity).await?;
        let session = self.open_session(&mut tx, &key, user, method).await?;
        record_success(&mut tx, user, &identity.login, &session, method).await?;
        tx.commit().await?;
        Ok(session)
    }

    /// Records that a person declined at the provider.
    pub(super) async fn record_decline(&self, method: SignInMethod) -> Result<(), AuthError> {
        let mut conn = self.pool.acquire().await?;
        record_refusal(&mut conn, None, &SignInError::AccessDenied, method).await
    }
}

/// Returns the user of an identity, or why it has none.
async fn find_user(
    conn: &mut PgConnection,
    identity: &Identity,
) -> Result<Result<UserId, SignInError>, AuthError> {
    if let Some(user) = identities::find_pinned(conn, &identity.id).await? {
        return Ok(Ok(user));
    }
    let addresses = identity.verified_addresses();
    let users = identities::find_by_address(conn, &addresses).await?;
    if let Some(user) = users.iter().find(|user| !user.pinned) {
        return Ok(Ok(user.id));
    }
    Ok(Err(if !users.is_empty() {
        SignInError::OtherIdentity
    } else if identity.has_unverified_address() {
        SignInError::AddressNotVerified
    } else {
        SignInError::NotAllowed
    }))
}

/// Records that a user signed in.
pub(super) async fn record_success(
    conn: &mut PgConnection,
    user: UserId,
    name: &str,
    session: &Session,
    method: SignInMethod,
) -> Result<(), AuthError> {
    let event = FlowEvent {
        kind: EventKind::SignInSucceeded,
        project_id: None,
        run_id: None,
        actor: format!("user:{name}"),
        message: format!("user {name:?} signed in"),
        data: Some(json!({ "user_id": user, "session_id": session.id, "via": method.as_str() })),
    };
    Ok(events::record(conn, &[event]).await?)
}

async fn record_refusal(
    conn: &mut PgConnection,
    login: Option<&str>,
    refusal: &SignInError,
    method: SignInMethod,
) -> Result<(), AuthError> {
    let reason = refusal.refusal_reason();
    let event = FlowEvent {
        kind: EventKind::SignInRefused,
        project_id: None,
        run_id: None,
        actor: ANONYMOUS_ACTOR.to_owned(),
        message: match login {
            Some(login) => format!("GitHub user {login:?} was refused: {refusal}"),
            None => format!("a sign-in was refused: {refusal}"),
        },
        data: Some(json!({ "login": login, "reason": reason, "via": method.as_str() })),
    };
    Ok(events::record(conn, &[event]).await?)
}
