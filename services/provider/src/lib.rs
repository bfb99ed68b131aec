//! What ck8s asks of a place where repositories live, in words that fit any of them: ids are texts, times are UTC. An adapter knows
//! one such place; nothing outside it knows which.
mod credential;
mod error;
mod types;

use async_trait::async_trait;
use time::OffsetDateTime;

pub use credential::Credential;
pub use error::ProviderError;
pub use types::{
    Actor, CommitState, CommitStatus, Fetched, Hook, HookAttempt, HookSpec, Lacking, Quota, Remote,
    Thread,
};

/// A place where repositories live. Every call may fail as [`ProviderError`] says, and is safe to repeat unless it says otherwise.
#[async_trait]
pub trait RepositoryProvider: Send + Sync {
    /// Its name, for people: `GitHub`.
    fn name(&self) -> &'static str;

    /// Whether the hooks that ck8s makes hear of this event.
    fn hears(&self, event: &str) -> bool;

    /// How much the credential may still ask, as the provider's last answer to it said; none: this process has not asked yet. Asks nothing.
    fn quota(&self, credential: &Credential) -> Option<Quota>;

    /// The repository of this name (`owner/name`), and what the credential lacks of what ck8s needs there.
    async fn look_up(
        &self,
        credential: &Credential,
        full_name: &str,
    ) -> Result<(Remote, Vec<Lacking>), ProviderError>;

    /// A repository that is known, as it is now: it may have another name and another default branch.
    /// [`ProviderError::NotFound`]: what has its name is another one.
    async fn identify(
        &self,
        credential: &Credential,
        repository: &Remote,
    ) -> Result<Remote, ProviderError>;

    /// Whom the credential acts as: its own doings trigger nothing.
    async fn actor(&self, credential: &Credential) -> Result<Actor, ProviderError>;

    /// Whether somebody may write to the repository.
    async fn may_write(
        &self,
        credential: &Credential,
        repository: &Remote,
        login: &str,
    ) -> Result<bool, ProviderError>;

    /// The repository's hooks that post to this address.
    async fn hooks(
        &self,
        credential: &Credential,
        repository: &Remote,
        url: &str,
    ) -> Result<Vec<Hook>, ProviderError>;

    /// Makes a hook. Twice makes two, or fails: look with [`Self::hooks`] first.
    async fn create_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        spec: &HookSpec,
    ) -> Result<Hook, ProviderError>;

    /// Gives a hook this address, these events, this secret, and turns it on.
    async fn update_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        spec: &HookSpec,
    ) -> Result<Hook, ProviderError>;

    /// Removes a hook; one that is gone is fine.
    async fn delete_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError>;

    /// Has the hook post a ping.
    async fn ping_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError>;

    /// What the hook has tried to deliver since then, newest first, each try by itself.
    async fn hook_attempts(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        since: OffsetDateTime,
    ) -> Result<Vec<HookAttempt>, ProviderError>;

    /// Has one of them delivered again, under the same delivery id.
    async fn redeliver(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        attempt_id: &str,
    ) -> Result<(), ProviderError>;

    /// A file at a branch's head, unless it is still the one of this etag.
    async fn file(
        &self,
        credential: &Credential,
        repository: &Remote,
        branch: &str,
        path: &str,
        etag: Option<&str>,
    ) -> Result<Fetched, ProviderError>;

    /// Sets a commit's status; the latest of a context counts.
    async fn set_status(
        &self,
        credential: &Credential,
        repository: &Remote,
        commit: &str,
        status: &CommitStatus,
    ) -> Result<(), ProviderError>;

    /// The comment of our own in a thread that holds this marker, if there is one.
    async fn find_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        marker: &str,
    ) -> Result<Option<String>, ProviderError>;

    /// Writes a comment and returns its id. Twice makes two: look with [`Self::find_comment`] first.
    async fn create_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        body: &str,
    ) -> Result<String, ProviderError>;

    /// Replaces a comment's text. [`ProviderError::NotFound`]: somebody removed it.
    async fn update_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
        body: &str,
    ) -> Result<(), ProviderError>;

    /// Shows on a comment that it is seen, without words; once, however often it is said.
    async fn acknowledge(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
    ) -> Result<(), ProviderError>;
}
