//! Completes the replacement of a webhook secret at the provider.
use crate::{
    domain::{fields::DEFAULT_OVERLAP_SECONDS, repository::Repository},
    error::Error,
    service::repositories::Repositories,
    store::{
        pending_changes::{self, ChangeLock},
        provider_state, repositories, webhook_secrets,
    },
};

impl Repositories {
    /// Makes the provider sign with the current secret. Then the previous one stays valid for a day, or until a
    /// delivery shows that the provider uses the current one.
    pub(in crate::service) async fn complete_rotation(
        &self,
        lock: &ChangeLock,
        repository: &Repository,
    ) -> Result<(), Error> {
        let (remote, secret) = {
            let mut conn = self.pool.acquire().await?;
            // However long this takes, the provider signs with the previous secret until it accepts the current one.
            webhook_secrets::prolong(&mut conn, repository.id, DEFAULT_OVERLAP_SECONDS).await?;
            let remote = self.remote(&mut conn, repository).await?;
            let secret = self.current_webhook_secret(&mut conn, repository).await?;
            (remote, secret)
        };
        let put = remote
            .put_hook(repository.hook.id.as_deref(), &secret)
            .await;
        if let Err(Error::Provider { error, .. }) = &put
            && !error.is_transient()
        {
            self.abandon_rotation(lock, repository).await?;
        }
        let hook_id = put?;
        let mut tx = self.pool.begin().await?;
        provider_state::set_hook(&mut tx, repository.id, &hook_id).await?;
        pending_changes::end(&mut tx, lock).await?;
        repositories::touch(&mut tx, repository.id).await?;
        tx.commit().await?;
        // A delivery that is signed with the current secret ends the previous one.
        if let Err(error) = remote.ping_hook(&hook_id).await {
            tracing::warn!(%error, "the hook was not pinged");
        }
        Ok(())
    }

    /// Goes back to the previous secret: the provider refused the current one, so it still signs with the previous one.
    async fn abandon_rotation(
        &self,
        lock: &ChangeLock,
        repository: &Repository,
    ) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        webhook_secrets::restore(&mut tx, repository.id).await?;
        pending_changes::end(&mut tx, lock).await?;
        repositories::touch(&mut tx, repository.id).await?;
        tx.commit().await?;
        Ok(())
    }
}
