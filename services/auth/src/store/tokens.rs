//! API tokens.
use ck8s_types::TokenId;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::violated;
use crate::{
    domain::{Hash, NewToken, Token, TokenKind},
    error::AuthError,
};

struct Row {
    id: Uuid,
    name: String,
    kind: String,
    service: Option<String>,
    created_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    last_used_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
}

impl TryFrom<Row> for Token {
    type Error = AuthError;

    fn try_from(row: Row) -> Result<Self, AuthError> {
        Ok(Self {
            id: row.id.into(),
            name: row.name,
            kind: TokenKind::from_words(&row.kind, row.service)
                .ok_or(AuthError::Corrupt("a token's kind"))?,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        })
    }
}

/// Stores a token. One that has expired gives up the name.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    token: NewToken,
    hash: &Hash,
) -> Result<Token, AuthError> {
    sqlx::query!(
        "UPDATE auth.tokens SET revoked_at = expires_at
         WHERE name = $1 AND revoked_at IS NULL AND expires_at <= now()",
        token.name,
    )
    .execute(&mut *conn)
    .await?;
    let id = TokenId::new();
    let created_at = sqlx::query_scalar!(
        "INSERT INTO auth.tokens (id, name, kind, service, hash, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING created_at",
        id.uuid(),
        token.name,
        token.kind.word(),
        token.kind.service(),
        hash.as_slice(),
        token.expires_at,
    )
    .fetch_one(conn)
    .await
    .map_err(|error| match violated(&error) {
        Some("tokens_live_name") => AuthError::TokenExists(token.name.clone()),
        _ => error.into(),
    })?;
    Ok(Token {
        id,
        name: token.name,
        kind: token.kind,
        created_at,
        expires_at: token.expires_at,
        last_used_at: None,
        revoked_at: None,
    })
}

/// The token with this hash, if it is good now and stands for somebody.
pub(crate) async fn find_good(
    conn: &mut PgConnection,
    hash: &Hash,
) -> Result<Option<Token>, AuthError> {
    sqlx::query_as!(
        Row,
        "SELECT id, name, kind, service, created_at, expires_at, last_used_at, revoked_at FROM auth.tokens
         WHERE hash = $1 AND kind <> 'join' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
        hash.as_slice(),
    )
    .fetch_optional(conn)
    .await?
    .map(Token::try_from)
    .transpose()
}

/// Uses a join token up; its name, or none if it is unknown, used, revoked or too old.
pub(crate) async fn use_join(conn: &mut PgConnection, hash: &Hash) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "UPDATE auth.tokens SET revoked_at = now(), last_used_at = now()
         WHERE hash = $1 AND kind = 'join' AND revoked_at IS NULL AND expires_at > now()
         RETURNING name",
        hash.as_slice(),
    )
    .fetch_optional(conn)
    .await
}

/// A token by its id, or by its name while it is not revoked.
pub(crate) async fn get(conn: &mut PgConnection, reference: &str) -> Result<Token, AuthError> {
    sqlx::query_as!(
        Row,
        "SELECT id, name, kind, service, created_at, expires_at, last_used_at, revoked_at FROM auth.tokens
         WHERE id = $1 OR (name = $2 AND revoked_at IS NULL)
         ORDER BY id = $1 DESC LIMIT 1",
        Uuid::parse_str(reference).ok(),
        reference,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| AuthError::TokenNotFound(reference.to_owned()))?
    .try_into()
}

/// Which tokens to list.
pub(crate) struct Page {
    pub before: Option<TokenId>,
    pub include_ended: bool,
    pub limit: i64,
}

/// Tokens, newest first.
pub(crate) async fn list(conn: &mut PgConnection, page: Page) -> Result<Vec<Token>, AuthError> {
    sqlx::query_as!(
        Row,
        "SELECT id, name, kind, service, created_at, expires_at, last_used_at, revoked_at FROM auth.tokens
         WHERE ($1::uuid IS NULL OR id < $1)
           AND ($2 OR (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())))
         ORDER BY id DESC LIMIT $3",
        page.before.map(TokenId::uuid),
        page.include_ended,
        page.limit,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Token::try_from)
    .collect()
}

/// Ends a token now; when, or none if it had been ended before.
pub(crate) async fn revoke(
    conn: &mut PgConnection,
    id: TokenId,
) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!(
        r#"UPDATE auth.tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING revoked_at AS "at!""#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await
}

/// Notes that a token was used, to the minute.
pub(crate) async fn touch(conn: &mut PgConnection, id: TokenId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE auth.tokens SET last_used_at = now()
         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= now() - interval '1 minute')",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
