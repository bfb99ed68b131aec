//! Tokens: whose they are, making, listing, ending.
use ck8s_db::events::{self, NewEvent};
use ck8s_proto::auth::v1 as pb;
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Auth, By};
use crate::{
    domain::{self, NewToken, Secret, Token},
    error::AuthError,
    store::tokens,
};

impl Auth {
    /// Whose a token is. The same work whatever the text is: a hash and one look.
    pub(crate) async fn authenticate(&self, token: &str) -> Result<Token, AuthError> {
        let hash = domain::hash(token);
        let found = tokens::find_good(&mut *self.pool.acquire().await?, &hash).await?;
        let token = found.ok_or(AuthError::UnknownToken)?;
        self.upkeep.touch(&self.pool, token.id);
        Ok(token)
    }

    pub(crate) async fn create_token(
        &self,
        by: By,
        token: NewToken,
    ) -> Result<pb::CreateTokenResponse, AuthError> {
        let token = token.checked(OffsetDateTime::now_utc())?;
        let secret = Secret::new(token.kind.prefix());
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "CreateToken").await? {
            return Ok(answer);
        }
        let token = insert(&mut tx, &by.actor, token, &secret).await?;
        let mut response = pb::CreateTokenResponse {
            token: Some(token.into()),
            secret: String::new(),
        };
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        self.upkeep.sweep(&self.pool);
        response.secret = secret.expose().to_owned();
        Ok(response)
    }

    pub(crate) async fn list_tokens(&self, page: tokens::Page) -> Result<Vec<Token>, AuthError> {
        tokens::list(&mut *self.pool.acquire().await?, page).await
    }

    pub(crate) async fn revoke_token(
        &self,
        by: By,
        reference: &str,
    ) -> Result<pb::RevokeTokenResponse, AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "RevokeToken").await? {
            return Ok(answer);
        }
        let token = tokens::get(&mut tx, reference).await?;
        let token = revoke(&mut tx, &by.actor, token).await?;
        let response = pb::RevokeTokenResponse {
            token: Some(token.into()),
        };
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }
}

/// Stores a token, with its flow event.
pub(super) async fn insert(
    conn: &mut PgConnection,
    actor: &str,
    token: NewToken,
    secret: &Secret,
) -> Result<Token, AuthError> {
    let token = tokens::insert(conn, token, &secret.hash()).await?;
    events::record(conn, &[event("token.created", actor, &token, "was made")]).await?;
    Ok(token)
}

/// Ends a token, with its flow event unless it had ended before.
pub(super) async fn revoke(
    conn: &mut PgConnection,
    actor: &str,
    mut token: Token,
) -> Result<Token, AuthError> {
    if let Some(at) = tokens::revoke(conn, token.id).await? {
        token.revoked_at = Some(at);
        events::record(
            conn,
            &[event("token.revoked", actor, &token, "was revoked")],
        )
        .await?;
    }
    Ok(token)
}

fn event(kind: &'static str, actor: &str, token: &Token, what: &str) -> NewEvent {
    NewEvent {
        kind,
        project_id: None,
        run_id: None,
        actor: actor.to_owned(),
        message: format!("{} token {:?} {what}", token.kind.word(), token.name),
        data: Some(json!({
            "token_id": token.id,
            "name": token.name,
            "kind": token.kind.word(),
            "service": token.kind.service(),
        })),
    }
}
