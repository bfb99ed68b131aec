//! API tokens: authenticating with them, creating, listing and revoking them.
use ck8s_rpc::{
    Caller,
    caller::{Credential, SignedIn},
};
use ck8s_types::ProjectId;
use time::OffsetDateTime;

use super::{auth::Auth, call::Call, token_records};
use crate::{
    domain::{
        self, NewToken, Owner, RequestedKind, Scope, Secret, Token, TokenBearer, TokenKind,
        TokenRequest, invalid,
    },
    error::AuthError,
    store::{
        persons,
        tokens::{self, TokenPage, Visible},
    },
};

impl Auth {
    /// Returns the bearer of an API token. Any text costs the same: a hash and one query, and another query for a
    /// person's token.
    pub(crate) async fn authenticate_api_token(
        &self,
        token: &str,
    ) -> Result<TokenBearer, AuthError> {
        let hash = domain::hash(token);
        let mut conn = self.pool.acquire().await?;
        let token = tokens::find_valid(&mut conn, &hash).await?;
        let token = token.ok_or(AuthError::UnknownToken)?;
        let person = match token.kind.owner() {
            None => None,
            Some(Owner { user_id, scope }) => {
                let person = persons::get(&mut conn, user_id, scope).await?;
                Some(person.ok_or(AuthError::UnknownToken)?)
            }
        };
        self.token_use.record(&self.pool, token.id);
        Ok(TokenBearer { token, person })
    }

    /// Creates a token: a platform admin any, a person their own. `project` is the only one of a person's token. The
    /// secret is none if the call is a repeated one.
    pub(crate) async fn create_token(
        &self,
        call: Call,
        caller: &Caller,
        request: TokenRequest,
        project: Option<ProjectId>,
    ) -> Result<(Token, Option<Secret>), AuthError> {
        let kind = match request.kind {
            RequestedKind::Own { max_role } => {
                let not_a_person = || invalid("kind", "only a person has tokens of their own");
                let person = caller.person().ok_or_else(not_a_person)?;
                let scope = Scope { max_role, project };
                self.check_not_wider(person, scope, request.expires_at)
                    .await?;
                TokenKind::Person(Owner {
                    user_id: person.user_id,
                    scope,
                })
            }
            RequestedKind::Platform(_) if !is_admin(caller) => {
                return Err(AuthError::OwnTokensOnly);
            }
            RequestedKind::Platform(kind) => kind,
        };
        let token = NewToken {
            name: request.name,
            kind,
            expires_at: request.expires_at,
        };
        let token = token.checked(OffsetDateTime::now_utc())?;
        let secret = Secret::generate(token.kind.prefix());
        let mut tx = self.pool.begin().await?;
        if let Some(token) = call.repeated(&mut tx).await? {
            return Ok((token, None));
        }
        let token = token_records::insert(&mut tx, &call.actor, token, &secret).await?;
        call.keep(&mut tx, &token).await?;
        tx.commit().await?;
        Ok((token, Some(secret)))
    }

    /// Fails if a person authenticates with a token that has fewer rights, or a shorter life, than the one to create.
    async fn check_not_wider(
        &self,
        person: SignedIn,
        scope: Scope,
        expires_at: Option<OffsetDateTime>,
    ) -> Result<(), AuthError> {
        let Some(own) = self.token_of(person).await? else {
            return Ok(());
        };
        let owner = own.kind.owner().ok_or(AuthError::UnknownToken)?;
        let expires_first = own
            .expires_at
            .is_none_or(|own| expires_at.is_some_and(|new| new <= own));
        if scope.is_within(owner.scope) && expires_first {
            Ok(())
        } else {
            Err(AuthError::WiderToken)
        }
    }

    /// Returns the API token that a person authenticates with; none for a session.
    async fn token_of(&self, person: SignedIn) -> Result<Option<Token>, AuthError> {
        let Credential::Token(id) = person.with else {
            return Ok(None);
        };
        let mut conn = self.pool.acquire().await?;
        let visible = Visible::OfUser(person.user_id);
        let token = tokens::get(&mut conn, &id.to_string(), visible).await;
        token.map(Some).map_err(|error| match error {
            AuthError::TokenNotFound(_) => AuthError::UnknownToken,
            other => other,
        })
    }

    pub(crate) async fn list_tokens(
        &self,
        caller: &Caller,
        page: TokenPage,
    ) -> Result<Vec<Token>, AuthError> {
        tokens::list(&mut *self.pool.acquire().await?, visible_to(caller)?, page).await
    }

    pub(crate) async fn revoke_token(
        &self,
        call: Call,
        caller: &Caller,
        reference: &str,
    ) -> Result<Token, AuthError> {
        let visible = visible_to(caller)?;
        let own = match caller.person() {
            Some(person) => self.token_of(person).await?,
            None => None,
        };
        let mut tx = self.pool.begin().await?;
        if let Some(token) = call.repeated(&mut tx).await? {
            return Ok(token);
        }
        let token = tokens::get(&mut tx, reference, visible).await?;
        let is_limited = |own: &Token| {
            let owner = own.kind.owner();
            owner.is_some_and(|owner| !owner.scope.is_unlimited())
        };
        if own.is_some_and(|own| is_limited(&own) && own.id != token.id) {
            return Err(AuthError::WiderToken);
        }
        let token = token_records::revoke(&mut tx, &call.actor, token).await?;
        call.keep(&mut tx, &token).await?;
        tx.commit().await?;
        Ok(token)
    }
}

fn is_admin(caller: &Caller) -> bool {
    matches!(caller, Caller::Admin { .. })
}

/// Returns the tokens that a caller sees: a platform admin all, a person their own.
fn visible_to(caller: &Caller) -> Result<Visible, AuthError> {
    let user = caller.person().map(|person| person.user_id);
    match (is_admin(caller), user) {
        (true, own) => Ok(Visible::All(own)),
        (false, Some(own)) => Ok(Visible::OfUser(own)),
        (false, None) => Err(AuthError::UnknownToken),
    }
}
