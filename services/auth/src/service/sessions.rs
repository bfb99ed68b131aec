//! Sessions: beginning, going on, ending, and whose an access token is.
use std::time::Instant;

use ck8s_db::events::{self, NewEvent};
use ck8s_types::{SessionId, UserId};
use serde_json::json;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::Auth;
use crate::{
    domain::{self, Claims, Person, REFRESH, Scope, Secret, Session, SigningKey, Via},
    error::{AuthError, SignInError},
    store::{
        people,
        sessions::{self, Because, Held, Spent},
        signing_keys,
    },
};

/// An access token that is believed.
#[derive(Debug)]
pub(crate) struct Access {
    pub claims: Claims,
    pub person: Person,
}

impl Auth {
    /// Whose an access token is. Whatever is wrong with it, the answer is the same.
    pub(crate) async fn authenticate_access(&self, token: &str) -> Result<Access, AuthError> {
        let Some(sign_in) = &self.sign_in else {
            return Err(AuthError::UnknownToken);
        };
        let key = domain::key_of(token).ok_or(AuthError::UnknownToken)?;
        let mut conn = self.pool.acquire().await?;
        let found = signing_keys::verifying(&mut conn, key).await?;
        let (public, now) = found.ok_or(AuthError::UnknownToken)?;
        let claims = domain::verified(token, &public, &sign_in.config.issuer)
            .filter(|claims| claims.good_at(now))
            .ok_or(AuthError::UnknownToken)?;
        if !sessions::is_live(&mut conn, claims.sid, claims.sub).await? {
            return Err(AuthError::UnknownToken);
        }
        let person = people::person(&mut conn, claims.sub, Scope::default()).await?;
        let person = person.ok_or(AuthError::UnknownToken)?;
        Ok(Access { claims, person })
    }

    /// Begins a session, in the transaction that let the user in.
    pub(super) async fn open_session(
        &self,
        conn: &mut PgConnection,
        key: &SigningKey,
        user: UserId,
        via: Via,
    ) -> Result<Session, AuthError> {
        let id = SessionId::new();
        sessions::insert(conn, id, user, via).await?;
        self.next_tokens(conn, key, user, id).await
    }

    /// The next tokens for a refresh token.
    pub(crate) async fn refresh_session(&self, token: &str) -> Result<Session, AuthError> {
        let sign_in = self.sign_in()?;
        let key = self.signing_key().await?;
        let hash = domain::hash(token);
        let mut tx = self.pool.begin().await?;
        let held = sessions::hold_by_refresh(&mut tx, &hash).await?;
        let Some(held) = held.filter(|held| held.live) else {
            return Err(SignInError::SessionRefused.into());
        };
        let asked = sign_in.refreshes.take(held.id, Instant::now());
        match sessions::spend(&mut tx, &hash).await? {
            Spent::Now => {}
            Spent::TooLate => return Err(SignInError::SessionRefused.into()),
            Spent::Before => {
                sessions::end(&mut tx, held.id, Because::Reused).await?;
                let message = "a refresh token that was spent came again: the session ended";
                record(
                    &mut tx,
                    "session.reused",
                    "anonymous".to_owned(),
                    &held,
                    message,
                )
                .await?;
                tx.commit().await?;
                return Err(SignInError::SessionRefused.into());
            }
        }
        asked.map_err(|wait| SignInError::TooMany {
            what: "refreshes of this session",
            wait,
        })?;
        let session = self.next_tokens(&mut tx, &key, held.user, held.id).await?;
        tx.commit().await?;
        self.upkeep.sweep(&self.pool);
        Ok(session)
    }

    /// Ends the session of a refresh token, whatever became of the token. An unknown one ends nothing.
    pub(crate) async fn sign_out(&self, refresh_token: &str) -> Result<(), AuthError> {
        let mut tx = self.pool.begin().await?;
        let hash = domain::hash(refresh_token);
        let held = sessions::hold_by_refresh(&mut tx, &hash).await?;
        end(&mut tx, held).await?;
        Ok(tx.commit().await?)
    }

    /// Ends the session of an access token.
    pub(crate) async fn sign_out_bearer(&self, access_token: &str) -> Result<(), AuthError> {
        let access = self.authenticate_access(access_token).await?;
        let mut tx = self.pool.begin().await?;
        let held = sessions::hold(&mut tx, access.claims.sid).await?;
        end(&mut tx, held).await?;
        Ok(tx.commit().await?)
    }

    async fn next_tokens(
        &self,
        conn: &mut PgConnection,
        key: &SigningKey,
        user: UserId,
        id: SessionId,
    ) -> Result<Session, AuthError> {
        let config = &self.sign_in()?.config;
        let refresh = Secret::new(REFRESH);
        let (now, refresh_expires_at) = sessions::insert_refresh(conn, id, &refresh.hash()).await?;
        let life = i64::try_from(config.access_life.as_secs()).unwrap_or(0);
        let claims = Claims::new(&config.issuer, user, id, now.unix_timestamp(), life);
        let access = key.sign(&claims).ok_or(AuthError::Unmade)?;
        let from = OffsetDateTime::from_unix_timestamp(claims.iat).unwrap_or(now);
        Ok(Session {
            id,
            access,
            access_expires_at: from + Duration::seconds(life),
            refresh,
            refresh_expires_at,
        })
    }
}

async fn end(conn: &mut PgConnection, held: Option<Held>) -> Result<(), AuthError> {
    let Some(held) = held.filter(|held| held.live) else {
        return Ok(());
    };
    sessions::end(conn, held.id, Because::SignedOut).await?;
    let actor = format!("user:{}", held.name);
    record(conn, "session.ended", actor, &held, "signed out").await
}

async fn record(
    conn: &mut PgConnection,
    kind: &'static str,
    actor: String,
    held: &Held,
    message: &str,
) -> Result<(), AuthError> {
    let event = NewEvent {
        kind,
        project_id: None,
        run_id: None,
        actor,
        message: format!("user {:?}: {message}", held.name),
        data: Some(json!({ "user_id": held.user, "session_id": held.id })),
    };
    Ok(events::record(conn, &[event]).await?)
}
