//! What the process that starts a server, or has its database, does without a caller: its own tokens. Not reachable
//! over the wire.
use ck8s_types::Invalid;
use sqlx::{PgConnection, PgPool};

use super::token_records;
use crate::{
    domain::{NewToken, Secret, TokenKind},
    error::AuthError,
    store::tokens::{self, Visible},
};

/// The actor of these changes in flow events.
pub(super) const SYSTEM_ACTOR: &str = "system";

/// The shortest random part of a token that an operator chooses: 32 random bytes in base64.
const MIN_RANDOM_CHARS: usize = 43;

/// Operations on the database of the service, for whoever has it at hand.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    pub(super) pool: PgPool,
}

impl Bootstrap {
    /// Takes a pool with the role `ck8s_auth`.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Returns an admin's token of this name: `current` if it is valid, else a new one that replaces the one of this
    /// name.
    ///
    /// # Errors
    /// The database fails.
    pub async fn ensure_admin_token(
        &self,
        name: &str,
        current: Option<&str>,
    ) -> Result<String, AuthError> {
        self.ensure_token(TokenKind::Admin, name, current).await
    }

    /// Returns a worker's token of this name: `current` if it is valid, else a new one that replaces the one of this
    /// name.
    ///
    /// # Errors
    /// The database fails.
    pub async fn ensure_worker_token(
        &self,
        name: &str,
        current: Option<&str>,
    ) -> Result<String, AuthError> {
        self.ensure_token(TokenKind::Worker, name, current).await
    }

    /// Makes this text an admin's token, which replaces the one of this name. Returns whether anything changed.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] for a text that could be guessed; the database fails.
    pub async fn set_admin_token(&self, name: &str, token: &str) -> Result<bool, AuthError> {
        let kind = TokenKind::Admin;
        let random = token.strip_prefix(kind.prefix()).unwrap_or_default();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if random.len() < MIN_RANDOM_CHARS || !random.bytes().all(allowed) {
            let prefix = kind.prefix();
            let problem =
                format!("must be {prefix} and at least {MIN_RANDOM_CHARS} random characters");
            let field = "token";
            return Err(Invalid { field, problem }.into());
        }
        let secret = Secret::from_text(token);
        let mut tx = self.pool.begin().await?;
        if is_valid(&mut tx, &kind, name, &secret).await? {
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
        current: Option<&str>,
    ) -> Result<String, AuthError> {
        let mut tx = self.pool.begin().await?;
        if let Some(current) = current
            && is_valid(&mut tx, &kind, name, &Secret::from_text(current)).await?
        {
            return Ok(current.to_owned());
        }
        let secret = Secret::generate(kind.prefix());
        replace(&mut tx, kind, name, &secret).await?;
        tx.commit().await?;
        Ok(secret.expose().to_owned())
    }
}

/// Reports whether a secret is the valid token of this kind and name.
async fn is_valid(
    conn: &mut PgConnection,
    kind: &TokenKind,
    name: &str,
    secret: &Secret,
) -> Result<bool, AuthError> {
    let valid = tokens::find_valid(conn, &secret.hash()).await?;
    Ok(valid.is_some_and(|token| token.name == name && token.kind == *kind))
}

/// Stores a token in place of the one that has its name.
async fn replace(
    conn: &mut PgConnection,
    kind: TokenKind,
    name: &str,
    secret: &Secret,
) -> Result<(), AuthError> {
    match tokens::get(conn, name, Visible::All(None)).await {
        Ok(old) => drop(token_records::revoke(conn, SYSTEM_ACTOR, old).await?),
        Err(AuthError::TokenNotFound(_)) => {}
        Err(error) => return Err(error),
    }
    let token = NewToken {
        name: name.to_owned(),
        kind,
        expires_at: None,
    };
    token_records::insert(conn, SYSTEM_ACTOR, token, secret).await?;
    Ok(())
}
