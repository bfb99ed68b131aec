//! The trait that a provider of repositories implements.
use async_trait::async_trait;
use time::OffsetDateTime;

use crate::{
    credential::Credential,
    error::ProviderError,
    types::{
        Actor, ChangeSet, ChangedFiles, CommitStatus, DeliveryAttempt, FileLookup, Hook, HookSpec,
        MissingPermission, PullRequestHead, Quota, Remote, Thread,
    },
};

/// A place where repositories live. Each method fails as [`ProviderError`] says, and is safe to repeat unless its
/// comment says otherwise.
#[async_trait]
pub trait RepositoryProvider: Send + Sync {
    /// Returns the name that people know it by: `GitHub`.
    fn name(&self) -> &'static str;

    /// Reports whether the hooks that ck8s creates receive this event.
    fn delivers_event(&self, event: &str) -> bool;

    /// Returns the credential's quota, as the provider's last response told it; none if this process has sent no
    /// request yet. Sends none.
    fn quota(&self, credential: &Credential) -> Option<Quota>;

    /// Returns the repository of this name (`owner/name`), and the permissions that ck8s needs there and the credential
    /// does not have.
    async fn find_repository(
        &self,
        credential: &Credential,
        full_name: &str,
    ) -> Result<(Remote, Vec<MissingPermission>), ProviderError>;

    /// Returns the current state of a repository that is known: its name and its default branch may have changed.
    /// [`ProviderError::NotFound`]: another repository has its name.
    async fn refresh_repository(
        &self,
        credential: &Credential,
        repository: &Remote,
    ) -> Result<Remote, ProviderError>;

    /// Returns the account that the credential acts as. What that account does triggers no runs.
    async fn actor(&self, credential: &Credential) -> Result<Actor, ProviderError>;

    /// Reports whether a user may write to the repository.
    async fn may_write(
        &self,
        credential: &Credential,
        repository: &Remote,
        login: &str,
    ) -> Result<bool, ProviderError>;

    /// Returns the head of a pull request as it is now.
    async fn pull_request_head(
        &self,
        credential: &Credential,
        repository: &Remote,
        number: i64,
    ) -> Result<PullRequestHead, ProviderError>;

    /// Returns the files of a change, as many as the provider states. A change that it does not know any more has none,
    /// and they are not all.
    async fn changed_files(
        &self,
        credential: &Credential,
        repository: &Remote,
        change: &ChangeSet,
    ) -> Result<ChangedFiles, ProviderError>;

    /// Returns the repository's hooks that post to this URL.
    async fn list_hooks(
        &self,
        credential: &Credential,
        repository: &Remote,
        url: &str,
    ) -> Result<Vec<Hook>, ProviderError>;

    /// Creates a hook. A repeated call creates a second one or fails: look with [`Self::list_hooks`] first.
    async fn create_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        spec: &HookSpec,
    ) -> Result<Hook, ProviderError>;

    /// Gives a hook this URL, the events of ck8s and this secret, and activates it.
    async fn update_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        spec: &HookSpec,
    ) -> Result<Hook, ProviderError>;

    /// Deletes a hook. It is no error if the hook does not exist.
    async fn delete_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError>;

    /// Makes the hook post a ping.
    async fn ping_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError>;

    /// Returns the hook's attempts to deliver since then, the newest first. Each attempt is an entry of its own.
    async fn list_delivery_attempts(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        since: OffsetDateTime,
    ) -> Result<Vec<DeliveryAttempt>, ProviderError>;

    /// Makes the hook deliver again what this attempt delivered, with the same delivery id.
    async fn redeliver(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        attempt_id: &str,
    ) -> Result<(), ProviderError>;

    /// Returns a file at a branch's head, unless it still has this ETag.
    async fn fetch_file(
        &self,
        credential: &Credential,
        repository: &Remote,
        branch: &str,
        path: &str,
        etag: Option<&str>,
    ) -> Result<FileLookup, ProviderError>;

    /// Sets a commit's status. The latest one of each context counts.
    async fn set_status(
        &self,
        credential: &Credential,
        repository: &Remote,
        commit: &str,
        status: &CommitStatus,
    ) -> Result<(), ProviderError>;

    /// Returns the id of our own comment in a thread that contains this marker, if there is one.
    async fn find_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        marker: &str,
    ) -> Result<Option<String>, ProviderError>;

    /// Creates a comment and returns its id. A repeated call creates a second one: look with [`Self::find_comment`]
    /// first.
    async fn create_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        body: &str,
    ) -> Result<String, ProviderError>;

    /// Replaces a comment's text. [`ProviderError::NotFound`]: somebody deleted it.
    async fn update_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
        body: &str,
    ) -> Result<(), ProviderError>;

    /// Adds a reaction to a comment that shows people that ck8s has read it. Repeated calls add one.
    async fn acknowledge(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
    ) -> Result<(), ProviderError>;
}
