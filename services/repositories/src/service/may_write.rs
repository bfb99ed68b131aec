//! Answers whether somebody at the provider may write to a repository, what a pull request's head is, and which files
//! a change has.
use ck8s_provider::{ChangeSet, ChangedFiles, ProviderError, PullRequestHead};
use ck8s_types::RepositoryId;
use time::OffsetDateTime;

use super::{provider::RemoteRepository, repositories::Repositories};
use crate::{
    domain::repository::{ProviderState, Repository, WriteAccess},
    error::Error,
};

/// Somebody at the provider.
pub(crate) struct ProviderUser {
    pub login: String,
    /// The provider's id of them; empty: it is not known.
    pub external_id: String,
}

impl ProviderUser {
    /// Returns whether a repository's credential acts as this account. Logins change, ids do not.
    fn is_actor_of(&self, provider: &ProviderState) -> bool {
        let actor_id = provider.actor_id.as_deref();
        match actor_id.filter(|_| !self.external_id.is_empty()) {
            Some(id) => id == self.external_id,
            None => provider
                .actor_login
                .as_deref()
                .is_some_and(|own| own.eq_ignore_ascii_case(&self.login)),
        }
    }
}

impl Repositories {
    pub(crate) async fn may_write(
        &self,
        repository: RepositoryId,
        user: &ProviderUser,
    ) -> Result<WriteAccess, Error> {
        let (repository, remote) = self.load_remote(repository).await?;
        if user.is_actor_of(&repository.provider) {
            return Ok(WriteAccess::OwnActor);
        }
        let ask = self.ask_provider(&repository, &remote, &user.login);
        let may_write = remote
            .provider
            .write_access
            .get_or_ask(repository.id, &user.login, ask)
            .await
            .map_err(Error::at("asking who may write"))?;
        Ok(if may_write {
            WriteAccess::Allowed
        } else {
            WriteAccess::Refused
        })
    }

    /// Returns the head of a pull request as it is now: it is never remembered.
    pub(crate) async fn pull_request_head(
        &self,
        repository: RepositoryId,
        number: i64,
    ) -> Result<PullRequestHead, Error> {
        let (repository, remote) = self.load_remote(repository).await?;
        let ask = async || {
            refuse_while_limited(&repository, &remote)?;
            let api = remote.api();
            api.pull_request_head(&remote.credential, &remote.remote, number)
                .await
        };
        let head = ask().await;
        if let Err(error) = &head {
            self.note_provider_error(&repository, error).await;
        }
        head.map_err(Error::at("asking for the pull request's head"))
    }

    /// Returns the files of a change as they are now.
    pub(crate) async fn changed_files(
        &self,
        repository: RepositoryId,
        change: &ChangeSet,
    ) -> Result<ChangedFiles, Error> {
        let (repository, remote) = self.load_remote(repository).await?;
        let ask = async || {
            refuse_while_limited(&repository, &remote)?;
            let api = remote.api();
            api.changed_files(&remote.credential, &remote.remote, change)
                .await
        };
        let files = ask().await;
        if let Err(error) = &files {
            self.note_provider_error(&repository, error).await;
        }
        files.map_err(Error::at("asking for the changed files"))
    }

    async fn ask_provider(
        &self,
        repository: &Repository,
        remote: &RemoteRepository,
        login: &str,
    ) -> Result<bool, ProviderError> {
        refuse_while_limited(repository, remote)?;
        let answer = remote
            .api()
            .may_write(&remote.credential, &remote.remote, login)
            .await;
        if let Err(error) = &answer {
            self.note_provider_error(repository, error).await;
        }
        answer
    }
}

/// Returns an error while the provider takes no requests.
fn refuse_while_limited(
    repository: &Repository,
    remote: &RemoteRepository,
) -> Result<(), ProviderError> {
    let now = OffsetDateTime::now_utc();
    repository
        .provider
        .limited_until(now)
        .map_or(Ok(()), |until| {
            let by = remote.api().name();
            Err(ProviderError::RateLimited { by, until })
        })
}
