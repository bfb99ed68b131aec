//! The contract of `ck8s-provider`, spoken by the files beside this one.
use async_trait::async_trait;
use ck8s_provider::{
    Actor, CommitStatus, Credential, Fetched, Hook, HookAttempt, HookSpec, Lacking, ProviderError,
    Quota, Remote, RepositoryProvider, Thread,
};
use time::OffsetDateTime;

use crate::{EVENTS, GitHub, NAME};

#[async_trait]
impl RepositoryProvider for GitHub {
    fn name(&self) -> &'static str {
        NAME
    }

    fn hears(&self, event: &str) -> bool {
        EVENTS.contains(&event)
    }

    fn quota(&self, credential: &Credential) -> Option<Quota> {
        self.callers.of(credential).quota()
    }

    async fn look_up(
        &self,
        credential: &Credential,
        full_name: &str,
    ) -> Result<(Remote, Vec<Lacking>), ProviderError> {
        self.repository(credential, full_name).await
    }

    async fn identify(
        &self,
        credential: &Credential,
        repository: &Remote,
    ) -> Result<Remote, ProviderError> {
        self.known(credential, repository).await
    }

    async fn actor(&self, credential: &Credential) -> Result<Actor, ProviderError> {
        self.whose(credential).await
    }

    async fn may_write(
        &self,
        credential: &Credential,
        repository: &Remote,
        login: &str,
    ) -> Result<bool, ProviderError> {
        self.writes(credential, repository, login).await
    }

    async fn hooks(
        &self,
        credential: &Credential,
        repository: &Remote,
        url: &str,
    ) -> Result<Vec<Hook>, ProviderError> {
        self.list_hooks(credential, repository, url).await
    }

    async fn create_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        spec: &HookSpec,
    ) -> Result<Hook, ProviderError> {
        self.put_hook(credential, repository, None, spec).await
    }

    async fn update_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        spec: &HookSpec,
    ) -> Result<Hook, ProviderError> {
        self.put_hook(credential, repository, Some(hook_id), spec)
            .await
    }

    async fn delete_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError> {
        self.remove_hook(credential, repository, hook_id).await
    }

    async fn ping_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError> {
        self.ping(credential, repository, hook_id).await
    }

    async fn hook_attempts(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        since: OffsetDateTime,
    ) -> Result<Vec<HookAttempt>, ProviderError> {
        self.attempts(credential, repository, hook_id, since).await
    }

    async fn redeliver(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        attempt_id: &str,
    ) -> Result<(), ProviderError> {
        self.deliver_again(credential, repository, hook_id, attempt_id)
            .await
    }

    async fn file(
        &self,
        credential: &Credential,
        repository: &Remote,
        branch: &str,
        path: &str,
        etag: Option<&str>,
    ) -> Result<Fetched, ProviderError> {
        self.fetch(credential, repository, branch, path, etag).await
    }

    async fn set_status(
        &self,
        credential: &Credential,
        repository: &Remote,
        commit: &str,
        status: &CommitStatus,
    ) -> Result<(), ProviderError> {
        self.status(credential, repository, commit, status).await
    }

    async fn find_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        marker: &str,
    ) -> Result<Option<String>, ProviderError> {
        self.our_comment(credential, repository, thread, marker)
            .await
    }

    async fn create_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        body: &str,
    ) -> Result<String, ProviderError> {
        self.comment(credential, repository, thread, body).await
    }

    async fn update_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
        body: &str,
    ) -> Result<(), ProviderError> {
        self.rewrite(credential, repository, comment_id, body).await
    }

    async fn acknowledge(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
    ) -> Result<(), ProviderError> {
        self.eyes(credential, repository, comment_id).await
    }
}
