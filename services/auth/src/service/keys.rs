//! The keys of access tokens: made at first need, replaced when they have signed for long enough, verifying until what they signed
//! has ended.
use std::time::Duration;

use ck8s_db::events::{self, NewEvent};
use ck8s_proto::auth::v1 as pb;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Auth, By, sign_in::SignIn};
use crate::{
    domain::{self, SigningKey},
    error::AuthError,
    store::signing_keys::{self, Current},
};

/// How long a key that was replaced verifies beyond the life of what it signed: a replica may still be signing with it.
const SLACK: Duration = Duration::from_secs(60);
/// Who acts when a key is replaced for its age.
const ACTOR: &str = "system";

impl Auth {
    /// The key that signs now. Makes one if there is none, or the one there is has signed for long enough.
    pub(super) async fn signing_key(&self) -> Result<SigningKey, AuthError> {
        let sign_in = self.sign_in()?;
        let life = sign_in.config.key_life;
        let found = signing_keys::current(&mut *self.pool.acquire().await?, life).await?;
        if let Some(current) = found.filter(|current| !current.due) {
            return sign_in.open(&current);
        }
        let mut tx = self.pool.begin().await?;
        signing_keys::lock(&mut tx).await?;
        // Another replica may have been faster.
        let found = signing_keys::current(&mut tx, life).await?;
        if let Some(current) = found.filter(|current| !current.due) {
            return sign_in.open(&current);
        }
        let key = sign_in.make(&mut tx, ACTOR, false).await?;
        tx.commit().await?;
        self.upkeep.sweep(&self.pool);
        Ok(key)
    }

    /// Makes the next key now.
    pub(crate) async fn rotate_signing_key(
        &self,
        by: By,
        retire_others: bool,
    ) -> Result<pb::RotateSigningKeyResponse, AuthError> {
        let sign_in = self.sign_in()?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = by.answered(&mut tx, "RotateSigningKey").await? {
            return Ok(answer);
        }
        signing_keys::lock(&mut tx).await?;
        let key = sign_in.make(&mut tx, &by.actor, retire_others).await?;
        let response = pb::RotateSigningKeyResponse {
            key_id: key.id.to_string(),
        };
        by.keep(&mut tx, &response).await?;
        tx.commit().await?;
        Ok(response)
    }

    /// The public keys that verify now, as a JWKS.
    pub(crate) async fn signing_keys(&self) -> Result<String, AuthError> {
        // So that whoever asks before the first sign-in finds the key that will be used.
        self.signing_key().await?;
        let keys = signing_keys::all_verifying(&mut *self.pool.acquire().await?).await?;
        Ok(domain::jwks(&keys))
    }

    /// Makes sure that the key ring opens the key that signs.
    ///
    /// # Errors
    /// It does not; when the database fails.
    pub async fn verify_key_ring(&self) -> Result<(), AuthError> {
        let sign_in = self.sign_in()?;
        let found = signing_keys::current(&mut *self.pool.acquire().await?, Duration::ZERO).await?;
        found.map_or(Ok(()), |current| sign_in.open(&current).map(drop))
    }
}

impl SignIn {
    fn open(&self, current: &Current) -> Result<SigningKey, AuthError> {
        let row = associated(current.id);
        let private = self.config.key_ring.open(&row, &current.sealed)?;
        Ok(SigningKey {
            id: current.id,
            private,
        })
    }

    /// Makes and stores the next key, in a transaction that holds the lock.
    async fn make(
        &self,
        conn: &mut PgConnection,
        actor: &str,
        retire_others: bool,
    ) -> Result<SigningKey, AuthError> {
        let id = Uuid::now_v7();
        let (private, public) = domain::generate().ok_or(AuthError::Unmade)?;
        let sealed = self
            .config
            .key_ring
            .seal(&associated(id), private.expose_secret())
            .map_err(|_| AuthError::Unmade)?;
        let overlap = self.config.access_life + SLACK;
        signing_keys::insert(conn, id, &public, &sealed, overlap, retire_others).await?;
        let event = NewEvent {
            kind: "signing_key.made",
            project_id: None,
            run_id: None,
            actor: actor.to_owned(),
            message: match retire_others {
                false => "a key for access tokens was made".to_owned(),
                true => {
                    "a key for access tokens was made, and those before verify no more".to_owned()
                }
            },
            data: Some(json!({ "key_id": id, "retire_others": retire_others })),
        };
        events::record(conn, &[event]).await?;
        Ok(SigningKey { id, private })
    }
}

/// The row that a private key is sealed for.
pub(super) fn associated(id: Uuid) -> Vec<u8> {
    format!("auth.signing_keys\0{id}").into_bytes()
}
