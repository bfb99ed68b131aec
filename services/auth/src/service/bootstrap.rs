//! What the process that starts a server makes for itself and its admin. Not reachable over the wire.
use super::{Auth, tokens};
use crate::{
    domain::{NewToken, Secret, TokenKind},
    error::AuthError,
    store,
};

/// Who acts when a server is started.
const ACTOR: &str = "system";

/// What a local admin starts with.
pub struct AdminBootstrap {
    /// An admin's token without an end.
    pub token: String,
}

impl Auth {
    /// A fresh token for the local admin; the one from the start before ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bootstrap_admin(&self) -> Result<AdminBootstrap, AuthError> {
        let token = self.ensure_admin_token("local-admin", None).await?;
        Ok(AdminBootstrap { token })
    }

    /// An admin's token of this name: `kept` while it is good, else a fresh one in place of whatever has the name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ensure_admin_token(
        &self,
        name: &str,
        kept: Option<&str>,
    ) -> Result<String, AuthError> {
        self.ensure_token(TokenKind::Admin, name, kept).await
    }

    /// A worker's token of this name: `kept` while it is good, else a fresh one in place of whatever has the name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ensure_worker_token(
        &self,
        name: &str,
        kept: Option<&str>,
    ) -> Result<String, AuthError> {
        self.ensure_token(TokenKind::Worker, name, kept).await
    }

    async fn ensure_token(
        &self,
        kind: TokenKind,
        name: &str,
        kept: Option<&str>,
    ) -> Result<String, AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(kept) = kept {
            let good = store::tokens::find_good(&mut tx, &Secret::of(kept).hash()).await?;
            if good.is_some_and(|token| token.name == name && token.kind == kind) {
                return Ok(kept.to_owned());
            }
        }
        match store::tokens::get(&mut tx, name).await {
            Ok(old) => drop(tokens::revoke(&mut tx, ACTOR, old).await?),
            Err(AuthError::TokenNotFound(_)) => {}
            Err(error) => return Err(error),
        }
        let secret = Secret::new(kind.prefix());
        let token = NewToken {
            name: name.to_owned(),
            kind,
            expires_at: None,
        };
        tokens::insert(&mut tx, ACTOR, token, &secret).await?;
        tx.commit().await?;
        Ok(secret.expose().to_owned())
    }
}
