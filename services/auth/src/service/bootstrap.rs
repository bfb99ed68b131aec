//! What the process that starts a server makes for itself and its admin. Not reachable over the wire.
use ck8s_types::Invalid;
use sqlx::PgConnection;

use super::{Auth, tokens};
use crate::{
    domain::{NewToken, Secret, TokenKind},
    error::AuthError,
    store::{self, tokens::Whose},
};

/// Who acts when a server is started.
const ACTOR: &str = "system";

/// As many characters of base64 as 32 random bytes have.
const SHORTEST: usize = 43;

impl Auth {
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

    /// Makes this very text an admin's token of that name, in place of whatever has the name. Whether anything changed.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] for a text that could be guessed; when the database fails.
    pub async fn give_admin_token(&self, name: &str, token: &str) -> Result<bool, AuthError> {
        let kind = TokenKind::Admin;
        let random = token.strip_prefix(kind.prefix()).unwrap_or_default();
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if random.len() < SHORTEST || !random.bytes().all(fits) {
            return Err(Invalid {
                field: "token",
                problem: format!(
                    "must be {} and at least {SHORTEST} random characters",
                    kind.prefix()
                ),
            }
            .into());
        }
        let secret = Secret::of(token);
        let mut tx = self.pool.begin().await?;
        let good = store::tokens::find_good(&mut tx, &secret.hash()).await?;
        if good.is_some_and(|token| token.name == name && token.kind == kind) {
            return Ok(false);
        }
        replace(&mut tx, kind, name, &secret).await?;
        tx.commit().await?;
        Ok(true)
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
        let secret = Secret::new(kind.prefix());
        replace(&mut tx, kind, name, &secret).await?;
        tx.commit().await?;
        Ok(secret.expose().to_owned())
    }
}

/// A token of this name, in place of whatever has it.
async fn replace(
    tx: &mut PgConnection,
    kind: TokenKind,
    name: &str,
    secret: &Secret,
) -> Result<(), AuthError> {
    match store::tokens::get(tx, name, Whose::All(None)).await {
        Ok(old) => drop(tokens::revoke(tx, ACTOR, old).await?),
        Err(AuthError::TokenNotFound(_)) => {}
        Err(error) => return Err(error),
    }
    let token = NewToken {
        name: name.to_owned(),
        kind,
        expires_at: None,
    };
    tokens::insert(tx, ACTOR, token, secret).await?;
    Ok(())
}
