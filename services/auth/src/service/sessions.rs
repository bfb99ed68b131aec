//! Sessions: opening, refreshing and ending them, and authenticating with an access token.
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::{EventKind, SessionId, UserId};
use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::auth::Auth;
use crate::{
    domain::{
        self, Claims, Person, REFRESH_TOKEN_PREFIX, Salt, Scope, Secret, Session, SignInMethod,
        SigningKey,
    },
    error::{AuthError, SignInError},
    store::{
        persons,
        sessions::{self, EndReason, LockedSession, SpendOutcome},
        signing_keys,
    },
};

/// A valid access token, and who its bearer is.
#[derive(Debug)]
pub(crate) struct AccessTokenBearer {
    pub claims: Claims,
    pub person: Person,
}

impl Auth {
    /// Returns the bearer of an access token. Every refusal is the same error.
    pub(crate) async fn authenticate_access_token(
        &self,
        token: &str,
    ) -> Result<AccessTokenBearer, AuthError> {
        let Some(sign_in) = &self.sign_in else {
            return Err(AuthError::UnknownToken);
        };
        let key_id = domain::signing_key_id(token).ok_or(AuthError::UnknownToken)?;
        let mut conn = self.pool.acquire().await?;
        let verifying = signing_keys::find_verifying(&mut conn, key_id).await?;
        let (key, now) = verifying.ok_or(AuthError::UnknownToken)?;
        let claims = domain::verify(token, &key, &sign_in.config.issuer)
            .filter(|claims| claims.is_valid_at(now))
            .ok_or(AuthError::UnknownToken)?;
        if !sessions::is_live(&mut conn, claims.sid, claims.sub).await? {
            return Err(AuthError::UnknownToken);
        }
        let person = persons::get(&mut conn, claims.sub, Scope::default()).await?;
        let person = person.ok_or(AuthError::UnknownToken)?;
        Ok(AccessTokenBearer { claims, person })
    }

    /// Opens a session, in the transaction that admits the user.
    pub(super) async fn open_session(
        &self,
        conn: &mut PgConnection,
        key: &SigningKey,
        user: UserId,
        method: SignInMethod,
    ) -> Result<Session, AuthError> {
        let id = SessionId::new();
        sessions::insert(conn, id, user, method).await?;
        let refresh_token = Secret::generate(REFRESH_TOKEN_PREFIX);
        let times = sessions::insert_refresh(conn, id, &refresh_token.hash()).await?;
        self.tokens(key, user, id, RefreshToken::new(refresh_token, times))
    }

    /// Spends a refresh token and returns the session's next tokens. A client that lost the answer may ask again for a
    /// few seconds, and gets the same refresh token, unless that was spent.
    pub(crate) async fn refresh_session(&self, token: &str) -> Result<Session, AuthError> {
        let sign_in = self.sign_in()?;
        let key = self.signing_key().await?;
        let hash = domain::hash(token);
        let mut tx = self.pool.begin().await?;
        let session = sessions::lock_by_refresh_token(&mut tx, &hash).await?;
        let Some(session) = session.filter(|session| session.live) else {
            return Err(SignInError::SessionRefused.into());
        };
        let allowed = sign_in.refresh_rate.check(session.id);
        let salt = rand::random();
        let next = match sessions::spend(&mut tx, &hash, &salt).await? {
            SpendOutcome::Spent => {
                let next = successor(token, &salt)?;
                let times = sessions::insert_refresh(&mut tx, session.id, &next.hash()).await?;
                Some(RefreshToken::new(next, times))
            }
            SpendOutcome::Expired => return Err(SignInError::SessionRefused.into()),
            SpendOutcome::JustSpent(salt) => {
                let next = successor(token, &salt)?;
                let times = sessions::find_unspent(&mut tx, session.id, &next.hash()).await?;
                times.map(|times| RefreshToken::new(next, times))
            }
            SpendOutcome::Reused => None,
        };
        let Some(next) = next else {
            end_after_reuse(&mut tx, &session).await?;
            tx.commit().await?;
            return Err(SignInError::SessionRefused.into());
        };
        allowed.map_err(|wait| SignInError::TooMany {
            what: "refreshes of this session",
            wait,
        })?;
        let next = self.tokens(&key, session.user_id, session.id, next)?;
        tx.commit().await?;
        Ok(next)
    }

    /// Ends the session of a refresh token, spent or not. An unknown token ends nothing.
    pub(crate) async fn sign_out(&self, refresh_token: &str) -> Result<(), AuthError> {
        let mut tx = self.pool.begin().await?;
        let hash = domain::hash(refresh_token);
        let session = sessions::lock_by_refresh_token(&mut tx, &hash).await?;
        end(&mut tx, session).await?;
        Ok(tx.commit().await?)
    }

    /// Ends the session of an access token.
    pub(crate) async fn sign_out_bearer(&self, access_token: &str) -> Result<(), AuthError> {
        let bearer = self.authenticate_access_token(access_token).await?;
        let mut tx = self.pool.begin().await?;
        let session = sessions::lock(&mut tx, bearer.claims.sid).await?;
        end(&mut tx, session).await?;
        Ok(tx.commit().await?)
    }

    /// Returns a session's tokens: a refresh token, and a new access token.
    fn tokens(
        &self,
        key: &SigningKey,
        user: UserId,
        id: SessionId,
        refresh: RefreshToken,
    ) -> Result<Session, AuthError> {
        let config = &self.sign_in()?.config;
        let RefreshToken {
            secret,
            now,
            expires_at,
        } = refresh;
        let ttl = i64::try_from(config.access_token_ttl.as_secs()).unwrap_or(0);
        let claims = Claims::new(&config.issuer, user, id, now.unix_timestamp(), ttl);
        let access_token = key.sign(&claims).ok_or(AuthError::SecretCreation)?;
        let issued_at = OffsetDateTime::from_unix_timestamp(claims.iat).unwrap_or(now);
        Ok(Session {
            id,
            access_token,
            access_expires_at: issued_at + Duration::seconds(ttl),
            refresh_token: secret,
            refresh_expires_at: expires_at,
        })
    }
}

/// A refresh token for the answer.
struct RefreshToken {
    secret: Secret,
    /// The current time.
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
}

impl RefreshToken {
    fn new(secret: Secret, (now, expires_at): (OffsetDateTime, OffsetDateTime)) -> Self {
        Self {
            secret,
            now,
            expires_at,
        }
    }
}

fn successor(token: &str, salt: &Salt) -> Result<Secret, AuthError> {
    Secret::successor(REFRESH_TOKEN_PREFIX, token, salt).ok_or(AuthError::SecretCreation)
}

async fn end(conn: &mut PgConnection, session: Option<LockedSession>) -> Result<(), AuthError> {
    let Some(session) = session.filter(|session| session.live) else {
        return Ok(());
    };
    sessions::end(conn, session.id, EndReason::SignedOut).await?;
    let actor = format!("user:{}", session.name);
    let kind = EventKind::SessionEnded;
    record(conn, kind, actor, &session, "signed out").await
}

/// Ends a session whose refresh token was used twice: one of the two holders is not the user.
async fn end_after_reuse(
    conn: &mut PgConnection,
    session: &LockedSession,
) -> Result<(), AuthError> {
    sessions::end(conn, session.id, EndReason::RefreshTokenReused).await?;
    let message = "a refresh token that was spent came again: the session ended";
    let actor = "anonymous".to_owned();
    record(conn, EventKind::SessionReused, actor, session, message).await
}

async fn record(
    conn: &mut PgConnection,
    kind: EventKind,
    actor: String,
    session: &LockedSession,
    message: &str,
) -> Result<(), AuthError> {
    let event = FlowEvent {
        kind,
        project_id: None,
        run_id: None,
        actor,
        message: format!("user {:?}: {message}", session.name),
        data: Some(json!({ "user_id": session.user_id, "session_id": session.id })),
    };
    Ok(events::record(conn, &[event]).await?)
}
