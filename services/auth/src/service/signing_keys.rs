//! The keys that sign access tokens: created when needed, replaced after some time, verifying until the tokens that
//! they signed expire.
use std::time::Duration;

use ck8s_db::events::{self, FlowEvent};
use ck8s_types::EventKind;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgConnection;

use super::{auth::Auth, call::Call, initial_credentials::SYSTEM_ACTOR, sign_in::SignIn};
use crate::{
    domain::{self, NewKeyPair, SigningKey, SigningKeyId},
    error::AuthError,
    store::signing_keys::{self, CurrentKey, FormerKeys},
};

/// How long a replaced key verifies beyond the life of the tokens that it signed: another replica may still sign with
/// it.
const VERIFICATION_SLACK: Duration = Duration::from_secs(60);

impl Auth {
    /// Returns the key that signs now. Creates one if there is none, or if the current one is too old.
    pub(super) async fn signing_key(&self) -> Result<SigningKey, AuthError> {
        let sign_in = self.sign_in()?;
        let ttl = sign_in.config.signing_key_ttl;
        let current = signing_keys::current(&mut *self.pool.acquire().await?, ttl).await?;
        if let Some(current) = current.filter(|current| !current.due) {
            return open(sign_in, &current);
        }
        let mut tx = self.pool.begin().await?;
        signing_keys::lock(&mut tx).await?;
        // Another replica may have created one meanwhile.
        let current = signing_keys::current(&mut tx, ttl).await?;
        if let Some(current) = current.filter(|current| !current.due) {
            return open(sign_in, &current);
        }
        let key = create(&mut tx, sign_in, SYSTEM_ACTOR, false).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// Creates the next key now.
    pub(crate) async fn rotate_signing_key(
        &self,
        call: Call,
        retire_others: bool,
    ) -> Result<SigningKeyId, AuthError> {
        let sign_in = self.sign_in()?;
        let mut tx = self.pool.begin().await?;
        if let Some(key_id) = call.repeated(&mut tx).await? {
            return Ok(key_id);
        }
        signing_keys::lock(&mut tx).await?;
        let key = create(&mut tx, sign_in, &call.actor, retire_others).await?;
        call.keep(&mut tx, &key.id).await?;
        tx.commit().await?;
        Ok(key.id)
    }

    /// Returns the public keys that verify now, as a JWKS.
    pub(crate) async fn list_signing_keys(&self) -> Result<String, AuthError> {
        // Before the first sign-in there may be no key: the one that will sign is published too.
        self.signing_key().await?;
        let keys = signing_keys::list_verifying(&mut *self.pool.acquire().await?).await?;
        serde_json::to_string(&domain::jwks(&keys))
            .map_err(|_| AuthError::Corrupt("the keys cannot be encoded"))
    }

    /// Checks that the key ring opens the key that signs.
    pub(crate) async fn verify_key_ring(&self) -> Result<(), AuthError> {
        let sign_in = self.sign_in()?;
        let mut conn = self.pool.acquire().await?;
        let current = signing_keys::current(&mut conn, Duration::ZERO).await?;
        current.map_or(Ok(()), |current| open(sign_in, &current).map(drop))
    }
}

fn open(sign_in: &SignIn, current: &CurrentKey) -> Result<SigningKey, AuthError> {
    let row = associated_data(current.id);
    let private = sign_in.config.key_ring.open(&row, &current.sealed)?;
    Ok(SigningKey {
        id: current.id,
        private,
    })
}

/// Creates and stores the next key, in a transaction that holds the lock.
async fn create(
    conn: &mut PgConnection,
    sign_in: &SignIn,
    actor: &str,
    retire_others: bool,
) -> Result<SigningKey, AuthError> {
    let id = SigningKeyId::new();
    let NewKeyPair { private, public } = NewKeyPair::generate().ok_or(AuthError::SecretCreation)?;
    let key_ring = &sign_in.config.key_ring;
    let sealed = key_ring
        .seal(&associated_data(id), private.expose_secret())
        .map_err(|_| AuthError::SecretCreation)?;
    let (former, message) = if retire_others {
        let message = "a key for access tokens was made, and those before verify no more";
        (FormerKeys::Retire, message)
    } else {
        let overlap = sign_in.config.access_token_ttl + VERIFICATION_SLACK;
        let message = "a key for access tokens was made";
        (FormerKeys::VerifyFor(overlap), message)
    };
    signing_keys::insert(conn, id, &public, &sealed, former).await?;
    let event = FlowEvent {
        kind: EventKind::SigningKeyMade,
        project_id: None,
        run_id: None,
        actor: actor.to_owned(),
        message: message.to_owned(),
        data: Some(json!({ "key_id": id, "retire_others": retire_others })),
    };
    events::record(conn, &[event]).await?;
    Ok(SigningKey { id, private })
}

/// Returns the associated data of a sealed private key, so that it can be opened in its own row only.
pub(super) fn associated_data(id: SigningKeyId) -> Vec<u8> {
    format!("auth.signing_keys\0{id}").into_bytes()
}
