//! `RepositoryProvider` for GitHub: each method is the inherent one of the same name, in the file of its resource.
use async_trait::async_trait;
use ck8s_provider::{
    Actor, ChangeSet, ChangedFiles, CommitStatus, Credential, DeliveryAttempt, FileLookup, Hook,
    HookSpec, MissingPermission, ProviderError, PullRequestHead, Quota, Remote, RepositoryProvider,
    Thread,
};
use time::OffsetDateTime;

use crate::{client::GitHub, hooks::HOOK_EVENTS, operations::PROVIDER_NAME};

#[async_trait]
impl RepositoryProvider for GitHub {
    fn name(&self) -> &'static str {
        PROVIDER_NAME
    }

    fn delivers_event(&self, event: &str) -> bool {
        HOOK_EVENTS.contains(&event)
    }

    fn quota(&self, credential: &Credential) -> Option<Quota> {
        self.state(credential).quota()
    }

    async fn find_repository(
        &self,
        credential: &Credential,
        full_name: &str,
    ) -> Result<(Remote, Vec<MissingPermission>), ProviderError> {
        Self::find_repository(self, credential, full_name).await
    }

    async fn refresh_repository(
        &self,
        credential: &Credential,
        repository: &Remote,
    ) -> Result<Remote, ProviderError> {
        Self::refresh_repository(self, credential, repository).await
    }

    async fn actor(&self, credential: &Credential) -> Result<Actor, ProviderError> {
        Self::actor(self, credential).await
    }

    async fn may_write(
        &self,
        credential: &Credential,
        repository: &Remote,
        login: &str,
    ) -> Result<bool, ProviderError> {
        Self::may_write(self, credential, repository, login).await
    }

    async fn pull_request_head(
        &self,
        credential: &Credential,
        repository: &Remote,
        number: i64,
    ) -> Result<PullRequestHead, ProviderError> {
        Self::pull_request_head(self, credential, repository, number).await
    }

    async fn changed_files(
        &self,
        credential: &Credential,
        repository: &Remote,
        change: &ChangeSet,
    ) -> Result<ChangedFiles, ProviderError> {
        Self::changed_files(self, credential, repository, change).await
    }

    async fn list_hooks(
        &self,
        credential: &Credential,
        repository: &Remote,
        url: &str,
    ) -> Result<Vec<Hook>, ProviderError> {
        Self::list_hooks(self, credential, repository, url).await
    }

    async fn create_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        spec: &HookSpec,
    ) -> Result<Hook, ProviderError> {
        Self::create_hook(self, credential, repository, spec).await
    }

    async fn update_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        spec: &HookSpec,
    ) -> Result<Hook, ProviderError> {
        Self::update_hook(self, credential, repository, hook_id, spec).await
    }

    async fn delete_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError> {
        Self::delete_hook(self, credential, repository, hook_id).await
    }

    async fn ping_hook(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
    ) -> Result<(), ProviderError> {
        Self::ping_hook(self, credential, repository, hook_id).await
    }

    async fn list_delivery_attempts(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        since: OffsetDateTime,
    ) -> Result<Vec<DeliveryAttempt>, ProviderError> {
        Self::list_delivery_attempts(self, credential, repository, hook_id, since).await
    }

    async fn redeliver(
        &self,
        credential: &Credential,
        repository: &Remote,
        hook_id: &str,
        attempt_id: &str,
    ) -> Result<(), ProviderError> {
        Self::redeliver(self, credential, repository, hook_id, attempt_id).await
    }

    async fn fetch_file(
        &self,
        credential: &Credential,
        repository: &Remote,
        branch: &str,
        path: &str,
        etag: Option<&str>,
    ) -> Result<FileLookup, ProviderError> {
        Self::fetch_file(self, credential, repository, branch, path, etag).await
    }

    async fn set_status(
        &self,
        credential: &Credential,
        repository: &Remote,
        commit: &str,
        status: &CommitStatus,
    ) -> Result<(), ProviderError> {
        Self::set_status(self, credential, repository, commit, status).await
    }

    async fn find_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        marker: &str,
    ) -> Result<Option<String>, ProviderError> {
        Self::find_comment(self, credential, repository, thread, marker).await
    }

    async fn create_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        thread: &Thread,
        body: &str,
    ) -> Result<String, ProviderError> {
        Self::create_comment(self, credential, repository, thread, body).await
    }

    async fn update_comment(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
        body: &str,
    ) -> Result<(), ProviderError> {
        Self::update_comment(self, credential, repository, comment_id, body).await
    }

    async fn acknowledge(
        &self,
        credential: &Credential,
        repository: &Remote,
        comment_id: &str,
    ) -> Result<(), ProviderError> {
        Self::acknowledge(self, credential, repository, comment_id).await
    }
}
