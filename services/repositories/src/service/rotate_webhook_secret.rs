//! Replaces the webhook secret of a repository: here, and at the provider where ck8s manages the repository.
use ck8s_types::EventKind;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    access::lock_authorized,
    background::run_in_background,
    events::{self, RepositoryEvent},
    repeated_calls,
    repositories::Repositories,
    webhook_secrets::chosen_or_random,
};
use crate::{
    domain::{
        caller::Caller,
        fields::{self, DEFAULT_OVERLAP_SECONDS},
        pending_change::ChangeKind,
        repository::{Repository, RepositoryWithSecret},
    },
    error::Error,
    store::{
        pending_changes::{self, ChangeLock},
        repositories, webhook_secrets,
    },
};

/// A webhook secret to replace.
pub(crate) struct RotateWebhookSecret {
    /// Id or owner/name.
    pub repository: String,
    /// None: a random one.
    pub webhook_secret: Option<SecretString>,
    /// How long the previous secret stays valid; 0: a day.
    pub overlap_seconds: i64,
}

impl Repositories {
    pub(crate) async fn rotate_webhook_secret(
        &self,
        caller: Caller,
        rotate: RotateWebhookSecret,
    ) -> Result<RepositoryWithSecret, Error> {
        let secret = chosen_or_random(rotate.webhook_secret)?;
        let overlap = fields::overlap_seconds(rotate.overlap_seconds)?;
        self.authorize_change(&caller, &rotate.repository).await?;
        let mut tx = self.pool.begin().await?;
        if let Some(repository) = repeated_calls::claim(&mut tx, &caller).await? {
            return Ok(self.without_secret(repository));
        }
        let before = lock_authorized(&mut tx, &caller, &rotate.repository).await?;
        if before.is_managed() {
            tx.rollback().await?;
            let this = self.clone();
            let rotated =
                run_in_background(
                    async move { this.rotate_managed(&caller, &before, &secret).await },
                );
            return Ok(self.without_secret(rotated.await?));
        }
        webhook_secrets::supersede(&mut tx, before.id, overlap).await?;
        self.put_webhook_secret(&mut tx, before.id, &secret).await?;
        let repository = events::touch(&mut tx, &before).await?;
        let data = json!({ "overlap_seconds": overlap });
        events::record(&mut tx, &repository, rotated(&caller, &repository, data)).await?;
        repeated_calls::keep_answer(&mut tx, &caller, &repository).await?;
        tx.commit().await?;
        Ok(RepositoryWithSecret {
            view: self.view(repository),
            webhook_secret: Some(secret),
        })
    }

    fn without_secret(&self, repository: Repository) -> RepositoryWithSecret {
        RepositoryWithSecret {
            view: self.view(repository),
            webhook_secret: None,
        }
    }

    /// Replaces the secret here and at the provider. It stays with ck8s: nobody has to enter it anywhere.
    async fn rotate_managed(
        &self,
        caller: &Caller,
        repository: &Repository,
        secret: &SecretString,
    ) -> Result<Repository, Error> {
        let (lock, repository) = self.lock_for_change(repository).await?;
        let rotated = self.rotate_locked(caller, &repository, secret, &lock).await;
        lock.release().await;
        rotated
    }

    async fn rotate_locked(
        &self,
        caller: &Caller,
        repository: &Repository,
        secret: &SecretString,
        lock: &ChangeLock,
    ) -> Result<Repository, Error> {
        let mut tx = self.pool.begin().await?;
        // The same call may have come twice at once.
        if let Some(answer) = repeated_calls::find_answer(&mut tx, caller).await? {
            return Ok(answer);
        }
        let hook_url = &self.provider()?.hook_url;
        pending_changes::begin(&mut tx, lock, ChangeKind::Rotate, hook_url).await?;
        webhook_secrets::supersede(&mut tx, repository.id, DEFAULT_OVERLAP_SECONDS).await?;
        self.put_webhook_secret(&mut tx, repository.id, secret)
            .await?;
        repositories::touch(&mut tx, repository.id).await?;
        tx.commit().await?;
        // If the provider is away, the recovery task completes this later; until then both secrets are valid.
        self.complete_rotation(lock, repository).await?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = repeated_calls::claim(&mut tx, caller).await? {
            return Ok(answer);
        }
        let repository = events::touch(&mut tx, repository).await?;
        events::record(
            &mut tx,
            &repository,
            rotated(caller, &repository, Value::Null),
        )
        .await?;
        repeated_calls::keep_answer(&mut tx, caller, &repository).await?;
        tx.commit().await?;
        Ok(repository)
    }
}

fn rotated<'a>(caller: &'a Caller, repository: &Repository, data: Value) -> RepositoryEvent<'a> {
    RepositoryEvent {
        kind: EventKind::RepositorySecretRotated,
        actor: &caller.actor,
        message: format!("webhook secret of {} replaced", repository.full_name),
        data,
    }
}
