//! Storing and revoking API tokens together with their flow events, whoever does it.
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::EventKind;
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    domain::{NewToken, Secret, Token},
    error::AuthError,
    store::tokens,
};

/// Stores a token, with its flow event.
pub(super) async fn insert(
    conn: &mut PgConnection,
    actor: &str,
    token: NewToken,
    secret: &Secret,
) -> Result<Token, AuthError> {
    let token = tokens::insert(conn, token, &secret.hash()).await?;
    let event = event(EventKind::TokenCreated, actor, &token, "was made");
    events::record(conn, &[event]).await?;
    Ok(token)
}

/// Revokes a token, with its flow event unless it was revoked before.
pub(super) async fn revoke(
    conn: &mut PgConnection,
    actor: &str,
    mut token: Token,
) -> Result<Token, AuthError> {
    if let Some(at) = tokens::revoke(conn, token.id).await? {
        token.revoked_at = Some(at);
        let event = event(EventKind::TokenRevoked, actor, &token, "was revoked");
        events::record(conn, &[event]).await?;
    }
    Ok(token)
}

fn event(kind: EventKind, actor: &str, token: &Token, what: &str) -> FlowEvent {
    let owner = token.kind.owner();
    let scope = owner.map(|owner| owner.scope).unwrap_or_default();
    FlowEvent {
        kind,
        project_id: None,
        run_id: None,
        actor: actor.to_owned(),
        message: format!("{} token {:?} {what}", token.kind.as_str(), token.name),
        data: Some(json!({
            "token_id": token.id,
            "name": token.name,
            "kind": token.kind.as_str(),
            "service": token.kind.service(),
            "user_id": owner.map(|owner| owner.user_id),
            "max_role": scope.max_role,
            "project_id": scope.project,
        })),
    }
}
