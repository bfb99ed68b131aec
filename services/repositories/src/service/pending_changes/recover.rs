//! Recovers changes that a crash, or an absent provider, interrupted: an addition is undone; a removal or a new webhook
//! secret is completed.
use ck8s_types::EventKind;
use serde_json::json;

use crate::{
    domain::{
        pending_change::{ChangeKind, PendingChange},
        repository::Repository,
    },
    error::Error,
    service::{
        events::{self, RepositoryEvent, SERVICE_ACTOR},
        repositories::Repositories,
    },
    store::{
        pending_changes::{self, ChangeLock},
        removal, repositories,
    },
};

/// What a round of recovery came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecoveryOutcome {
    /// Changes that were undone or completed.
    pub recovered: usize,
    /// Changes that could not be, for now.
    pub failed: usize,
    /// Changes that somebody is making.
    pub under_way: usize,
}

impl Repositories {
    /// Recovers every interrupted change that can be recovered now.
    pub(crate) async fn recover_all(&self) -> Result<RecoveryOutcome, Error> {
        let pending = {
            let mut conn = self.pool.acquire().await?;
            pending_changes::repositories(&mut conn).await?
        };
        let mut outcome = RecoveryOutcome::default();
        for repository in pending {
            let Some(lock) = self.try_lock(repository).await? else {
                outcome.under_way += 1;
                continue;
            };
            match self.recover(&lock).await {
                Ok(()) => {
                    outcome.recovered += 1;
                    tracing::info!(repository.id = %repository, "an interrupted change was recovered");
                }
                Err(error) => {
                    outcome.failed += 1;
                    tracing::warn!(repository.id = %repository, %error, "an interrupted change is recovered later");
                }
            }
            lock.release().await;
        }
        Ok(outcome)
    }

    /// Recovers the interrupted change of a repository, if there is one. Fails while the provider is away.
    pub(in crate::service) async fn recover(&self, lock: &ChangeLock) -> Result<(), Error> {
        let (pending, repository) = {
            let mut conn = self.pool.acquire().await?;
            let Some(pending) = pending_changes::get(&mut conn, lock.repository).await? else {
                return Ok(());
            };
            match repositories::get(&mut conn, lock.repository).await {
                Ok(repository) => (pending, repository),
                // Somebody removed it meanwhile, without its hook.
                Err(Error::NotFound(_)) => return Ok(pending_changes::end(&mut conn, lock).await?),
                Err(error) => return Err(error),
            }
        };
        match pending.kind {
            ChangeKind::Rotate => self.complete_rotation(lock, &repository).await,
            ChangeKind::Add => {
                let kind = EventKind::RepositoryUndone;
                let message = format!(
                    "repository {} was not added: it is undone",
                    repository.full_name
                );
                self.remove_interrupted(lock, &repository, &pending, (kind, message))
                    .await
            }
            ChangeKind::Remove => {
                let kind = EventKind::RepositoryRemoved;
                let message = format!(
                    "repository {} removed, with its secrets",
                    repository.full_name
                );
                self.remove_interrupted(lock, &repository, &pending, (kind, message))
                    .await
            }
        }
    }

    async fn remove_interrupted(
        &self,
        lock: &ChangeLock,
        repository: &Repository,
        pending: &PendingChange,
        (kind, message): (EventKind, String),
    ) -> Result<(), Error> {
        let hook_left = self.remove_hook(repository, pending).await?;
        let mut tx = self.pool.begin().await?;
        pending_changes::end(&mut tx, lock).await?;
        removal::remove_with_secrets(&mut tx, repository).await?;
        let event = RepositoryEvent {
            kind,
            actor: SERVICE_ACTOR,
            message,
            data: json!({ "hook_left": hook_left }),
        };
        events::record(&mut tx, repository, event).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Removes the hook of a repository. Returns why that can never succeed; an error: it may succeed later.
    async fn remove_hook(
        &self,
        repository: &Repository,
        pending: &PendingChange,
    ) -> Result<Option<String>, Error> {
        let mut conn = self.pool.acquire().await?;
        let remote = self.remote(&mut conn, repository).await?;
        drop(conn);
        let known = repository.hook.id.as_deref();
        match remote.remove_hooks(known, &[&pending.hook_url]).await {
            Ok(()) => Ok(None),
            Err(error) if error.is_transient() => {
                self.note_provider_error(repository, &error).await;
                Err(Error::at("removing the hook")(error))
            }
            Err(error) => Ok(Some(error.to_string())),
        }
    }
}
