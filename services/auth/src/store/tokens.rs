//! API tokens.
use ck8s_types::{ProjectId, ProjectRole, TokenId, UserId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::sql::violated;
use crate::{
    domain::{Hash, NewToken, Owner, Scope, Token, TokenKind},
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
    user_id: Option<Uuid>,
    max_role: Option<String>,
    project_id: Option<Uuid>,
}

impl Row {
    fn owner(&self) -> Result<Option<Owner>, AuthError> {
        let Some(user_id) = self.user_id else {
            return Ok(None);
        };
        let max_role = self.max_role.as_deref().map(str::parse).transpose();
        let scope = Scope {
            max_role: max_role.map_err(|_| AuthError::Corrupt("a token's role"))?,
            project: self.project_id.map(ProjectId::from),
        };
        Ok(Some(Owner {
            user_id: user_id.into(),
            scope,
        }))
    }
}

impl TryFrom<Row> for Token {
    type Error = AuthError;

    fn try_from(row: Row) -> Result<Self, AuthError> {
        let owner = row.owner()?;
        Ok(Self {
            id: row.id.into(),
            name: row.name,
            kind: TokenKind::from_columns(&row.kind, row.service, owner)
                .ok_or(AuthError::Corrupt("a token's kind"))?,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        })
    }
}

/// Stores a token. An expired token of the same name loses the name.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    token: NewToken,
    hash: &Hash,
) -> Result<Token, AuthError> {
    let owner = token.kind.owner();
    let user_id = owner.map(|owner| owner.user_id.uuid());
    let scope = owner.map(|owner| owner.scope).unwrap_or_default();
    sqlx::query!(
        "UPDATE auth.tokens SET revoked_at = expires_at
         WHERE name = $1 AND user_id IS NOT DISTINCT FROM $2 AND revoked_at IS NULL AND expires_at <= now()",
        token.name,
        user_id,
    )
    .execute(&mut *conn)
    .await?;
    let id = TokenId::new();
    let created_at = sqlx::query_scalar!(
        "INSERT INTO auth.tokens (id, name, kind, service, hash, expires_at, user_id, max_role, project_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING created_at",
        id.uuid(),
        token.name,
        token.kind.as_str(),
        token.kind.service(),
        hash.as_slice(),
        token.expires_at,
        user_id,
        scope.max_role.map(ProjectRole::as_str),
        scope.project.map(ProjectId::uuid),
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

/// Returns the token with this hash, if it is valid now and is not a join token.
pub(crate) async fn find_valid(
    conn: &mut PgConnection,
    hash: &Hash,
) -> Result<Option<Token>, AuthError> {
    sqlx::query_as!(
        Row,
        "SELECT id, name, kind, service, created_at, expires_at, last_used_at, revoked_at, user_id, max_role, project_id
         FROM auth.tokens
         WHERE hash = $1 AND kind <> 'join' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())",
        hash.as_slice(),
    )
    .fetch_optional(conn)
    .await?
    .map(Token::try_from)
    .transpose()
}

/// Spends a join token and returns its name; none if it is unknown, spent, revoked or expired.
pub(crate) async fn spend_join_token(
    conn: &mut PgConnection,
    hash: &Hash,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "UPDATE auth.tokens SET revoked_at = now(), last_used_at = now()
         WHERE hash = $1 AND kind = 'join' AND revoked_at IS NULL AND expires_at > now()
         RETURNING name",
        hash.as_slice(),
    )
    .fetch_optional(conn)
    .await
}

/// The tokens that a caller sees.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Visible {
    /// All of them. By name, only the platform's and those of this user are found.
    All(Option<UserId>),
    /// Only tokens of this user.
    OfUser(UserId),
}

impl Visible {
    /// Returns the user, and whether the tokens of others are visible too.
    fn parts(self) -> (Option<UserId>, bool) {
        match self {
            Self::All(own) => (own, true),
            Self::OfUser(own) => (Some(own), false),
        }
    }
}

/// Returns a token by its id, or by its name while it is not revoked.
pub(crate) async fn get(
    conn: &mut PgConnection,
    reference: &str,
    visible: Visible,
) -> Result<Token, AuthError> {
    let (own, all) = visible.parts();
    sqlx::query_as!(
        Row,
        "SELECT id, name, kind, service, created_at, expires_at, last_used_at, revoked_at, user_id, max_role, project_id
         FROM auth.tokens
         WHERE (id = $1 OR (name = $2 AND revoked_at IS NULL AND (user_id IS NULL OR user_id = $3)))
           AND ($4 OR user_id = $3)
         ORDER BY id = $1 DESC, user_id NULLS FIRST LIMIT 1",
        Uuid::parse_str(reference).ok(),
        reference,
        own.map(UserId::uuid),
        all,
    )
    .fetch_optional(conn)
    .await?
    .ok_or_else(|| AuthError::TokenNotFound(reference.to_owned()))?
    .try_into()
}

/// Selects a page of tokens.
pub(crate) struct TokenPage {
    pub before: Option<TokenId>,
    pub include_ended: bool,
    pub limit: i64,
}

/// Returns a page of tokens, the newest first.
pub(crate) async fn list(
    conn: &mut PgConnection,
    visible: Visible,
    page: TokenPage,
) -> Result<Vec<Token>, AuthError> {
    let (own, all) = visible.parts();
    sqlx::query_as!(
        Row,
        "SELECT id, name, kind, service, created_at, expires_at, last_used_at, revoked_at, user_id, max_role, project_id
         FROM auth.tokens
         WHERE ($1::uuid IS NULL OR id < $1)
           AND ($2 OR (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())))
           AND ($4 OR user_id = $5)
         ORDER BY id DESC LIMIT $3",
        page.before.map(TokenId::uuid),
        page.include_ended,
        page.limit,
        all,
        own.map(UserId::uuid),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(Token::try_from)
    .collect()
}

/// Revokes a token. Returns the time, or none if it was revoked before.
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

/// Records that a token was used, to the minute.
pub(crate) async fn record_use(conn: &mut PgConnection, id: TokenId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE auth.tokens SET last_used_at = now()
         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= now() - interval '1 minute')",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
