//! Tokens: whose they are, making, listing, ending.
use ck8s_db::events::{self, NewEvent};
use ck8s_proto::auth::v1 as pb;
use ck8s_rpc::{
    Caller,
    caller::{Credential, SignedIn},
};
use ck8s_types::{ProjectId, ProjectRole};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Auth, By};
use crate::{
    domain::{self, NewToken, Owner, Person, Scope, Secret, Token, TokenKind, invalid},
    error::AuthError,
    store::{
        people,
        tokens::{self, Whose},
    },
};

/// Whose a token is.
pub(crate) struct Known {
    pub token: Token,
    /// For a person's: who, and what they may with it.
    pub person: Option<Person>,
}

/// A token that a caller asks for.
pub(crate) struct Wanted {
    pub name: String,
    pub kind: WantedKind,
    pub expires_at: Option<OffsetDateTime>,
}

/// What its bearer is to be.
pub(crate) enum WantedKind {
    /// What only a platform admin makes.
    Of(TokenKind),
    /// The caller, with this role at most.
    Own(Option<ProjectRole>),
}

impl Auth {
    /// Whose a token is. The same work whatever the text is: a hash and one look, and for a person's token another.
    pub(crate) async fn authenticate(&self, token: &str) -> Result<Known, AuthError> {
        let hash = domain::hash(token);
        let mut conn = self.pool.acquire().await?;
        let found = tokens::find_good(&mut conn, &hash).await?;
        let token = found.ok_or(AuthError::UnknownToken)?;
        let person = match token.kind.owner() {
            None => None,
            Some(Owner { user_id, scope }) => {
                let person = people::person(&mut conn, user_id, scope).await?;
                Some(person.ok_or(AuthError::UnknownToken)?)
            }
        };
        self.upkeep.touch(&self.pool, token.id);
        Ok(Known { token, person })
    }

    /// Makes a token: an admin any, a person their own. `project` is the one that a person's token is for.
    pub(crate) async fn create_token(
        &self,
        by: By,
        caller: &Caller,
        wanted: Wanted,
        project: Option<ProjectId>,
    ) -> Result<pb::CreateTokenResponse, AuthError> {
        let kind = match wanted.kind {
            WantedKind::Own(max_role) => {
                let fault = || invalid("kind", "only a person has tokens of their own");
                let person = caller.person().ok_or_else(fault)?;
                let scope = Scope { max_role, project };
                self.gives(person, scope, wanted.expires_at).await?;
                TokenKind::Person(Owner {
                    user_id: person.user_id,
                    scope,
                })
            }
            WantedKind::Of(_) if !is_admin(caller) => return Err(AuthError::OwnTokensOnly),
            WantedKind::Of(kind) => kind,
        };
        let token = NewToken {
            name: wanted.name,
            kind,
            expires_at: wanted.expires_at,
        };
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

    /// That what a person shows lets them make a token with this scope: a token makes none that may more, or lives longer.
    async fn gives(
        &self,
        person: SignedIn,
        scope: Scope,
        until: Option<OffsetDateTime>,
    ) -> Result<(), AuthError> {
        let Some(shown) = self.shown(person).await? else {
            return Ok(());
        };
        let owner = shown.kind.owner().ok_or(AuthError::UnknownToken)?;
        let in_time = shown
            .expires_at
            .is_none_or(|end| until.is_some_and(|until| until <= end));
        if scope.is_within(owner.scope) && in_time {
            Ok(())
        } else {
            Err(AuthError::WiderToken)
        }
    }

    /// The API token that a person shows; none for a session.
    async fn shown(&self, person: SignedIn) -> Result<Option<Token>, AuthError> {
        let Credential::Token(id) = person.with else {
            return Ok(None);
        };
        let mut conn = self.pool.acquire().await?;
        let own = Whose::Of(person.user_id);
        let shown = tokens::get(&mut conn, &id.to_string(), own).await;
        shown.map(Some).map_err(|error| match error {
            AuthError::TokenNotFound(_) => AuthError::UnknownToken,
            other => other,
        })
    }

    pub(crate) async fn list_tokens(
        &self,
        caller: &Caller,
        page: tokens::Page,
    ) -> Result<Vec<Token>, AuthError> {
        tokens::list(&mut *self.pool.acquire().await?, whose(caller)?, page).await
    }

    pub(crate) async fn revoke_token(
        &self,
        by: By,
        caller: &Caller,
        reference: &str,
    ) -> Result<pb::RevokeTokenResponse, AuthError> {
        let whose = whose(caller)?;
        let shown = match caller.person() {
            Some(person) => self.shown(person).await?,
            None => None,
        };
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "RevokeToken").await? {
            return Ok(answer);
        }
        let token = tokens::get(&mut tx, reference, whose).await?;
        let limited = shown.filter(|s| s.kind.owner().is_some_and(|o| !o.scope.is_whole()));
        if limited.is_some_and(|shown| shown.id != token.id) {
            return Err(AuthError::WiderToken);
        }
        let token = revoke(&mut tx, &by.actor, token).await?;
        let response = pb::RevokeTokenResponse {
            token: Some(token.into()),
        };
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }
}

fn is_admin(caller: &Caller) -> bool {
    matches!(caller, Caller::Admin { .. })
}

/// Whose tokens a caller sees: an admin all, a person their own.
fn whose(caller: &Caller) -> Result<Whose, AuthError> {
    let user = caller.person().map(|person| person.user_id);
    match (is_admin(caller), user) {
        (true, own) => Ok(Whose::All(own)),
        (false, Some(own)) => Ok(Whose::Of(own)),
        (false, None) => Err(AuthError::UnknownToken),
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
    let owner = token.kind.owner();
    let scope = owner.map(|owner| owner.scope).unwrap_or_default();
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
            "user_id": owner.map(|owner| owner.user_id),
            "max_role": scope.max_role,
            "project_id": scope.project,
        })),
    }
}
