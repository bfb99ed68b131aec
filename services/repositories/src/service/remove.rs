//! Removes a repository, with its secrets and, where ck8s manages it, with its hook.
use ck8s_types::EventKind;
use serde_json::Value;
use sqlx::PgConnection;

use super::{
    access::lock_authorized,
    background::run_in_background,
    events::{self, RepositoryEvent},
    repeated_calls,
    repositories::Repositories,
};
use crate::{
    domain::{
        caller::Caller,
        pending_change::ChangeKind,
        repository::{Removal, Repository},
    },
    error::Error,
    store::{
        pending_changes::{self, ChangeLock},
        removal,
    },
};

impl Repositories {
    /// Removes a repository, whatever its provider says; the answer says if the hook stays there.
    pub(crate) async fn remove(&self, caller: Caller, name: &str) -> Result<Removal, Error> {
        self.authorize_change(&caller, name).await?;
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = repeated_calls::claim(&mut tx, &caller).await? {
            return Ok(answer);
        }
        let repository = lock_authorized(&mut tx, &caller, name).await?;
        if repository.is_managed() {
            tx.rollback().await?;
            let this = self.clone();
            return run_in_background(
                async move { this.remove_managed(&caller, &repository).await },
            )
            .await;
        }
        removal::remove_with_secrets(&mut tx, &repository).await?;
        let message = format!(
            "repository {} removed, with its secrets",
            repository.full_name
        );
        record_removal(&mut tx, &caller, &repository, message).await?;
        let answer = Removal::default();
        repeated_calls::keep_answer(&mut tx, &caller, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }

    async fn remove_managed(
        &self,
        caller: &Caller,
        repository: &Repository,
    ) -> Result<Removal, Error> {
        let (lock, repository) = match self.lock_for_change(repository).await {
            // The same call may have come twice at once.
            Err(Error::NotFound(name)) => {
                let mut conn = self.pool.acquire().await?;
                let answer = repeated_calls::find_answer(&mut conn, caller).await?;
                return answer.ok_or(Error::NotFound(name));
            }
            locked => locked?,
        };
        let removed = self.remove_locked(caller, &repository, &lock).await;
        lock.release().await;
        removed
    }

    async fn remove_locked(
        &self,
        caller: &Caller,
        repository: &Repository,
        lock: &ChangeLock,
    ) -> Result<Removal, Error> {
        let remote = {
            let mut tx = self.pool.begin().await?;
            let remote = self.remote(&mut tx, repository).await?;
            let hook_url = &remote.provider.hook_url;
            pending_changes::begin(&mut tx, lock, ChangeKind::Remove, hook_url).await?;
            tx.commit().await?;
            remote
        };
        let hook_left = match remote
            .remove_hooks(repository.hook.id.as_deref(), &[])
            .await
        {
            Ok(()) => String::new(),
            Err(error) => format!("{error}; remove it there by hand"),
        };
        let mut tx = self.pool.begin().await?;
        if let Some(answer) = repeated_calls::claim(&mut tx, caller).await? {
            return Ok(answer);
        }
        pending_changes::end(&mut tx, lock).await?;
        removal::remove_with_secrets(&mut tx, repository).await?;
        let name = &repository.full_name;
        let message = if hook_left.is_empty() {
            format!("repository {name} removed, with its hook and its secrets")
        } else {
            format!("repository {name} removed, with its secrets; its hook stays: {hook_left}")
        };
        record_removal(&mut tx, caller, repository, message).await?;
        let answer = Removal { hook_left };
        repeated_calls::keep_answer(&mut tx, caller, &answer).await?;
        tx.commit().await?;
        Ok(answer)
    }
}

async fn record_removal(
    conn: &mut PgConnection,
    caller: &Caller,
    repository: &Repository,
    message: String,
) -> Result<(), Error> {
    let event = RepositoryEvent {
        kind: EventKind::RepositoryRemoved,
        actor: &caller.actor,
        message,
        data: Value::Null,
    };
    events::record(conn, repository, event).await
}
