//! Notes that a delivery came. A push to the default branch, or news of the repository itself, starts a sync.
use ck8s_types::RepositoryId;

use super::{provider::Provider, repositories::Repositories};
use crate::{
    domain::{
        hook_delivery::{ReceivedDelivery, SignedWith},
        repository::Repository,
    },
    error::Error,
    store::{pending_changes, provider_state, repositories, webhook_secrets},
};

impl Repositories {
    /// Notes a delivery; the sync that it starts goes on by itself.
    pub(crate) async fn note_delivery(&self, delivery: ReceivedDelivery) -> Result<(), Error> {
        let id = delivery.repository;
        let mut tx = self.pool.begin().await?;
        let repository = repositories::get(&mut tx, id).await?;
        match delivery.event.as_str() {
            "ping" => provider_state::note_ping(&mut tx, id).await?,
            _ => provider_state::note_delivery(&mut tx, id).await?,
        }
        if delivery.signature == SignedWith::Current
            && repository.is_managed()
            && pending_changes::get(&mut tx, id).await?.is_none()
            && webhook_secrets::retire(&mut tx, id).await?
        {
            repositories::touch(&mut tx, id).await?;
        }
        tx.commit().await?;
        if needs_sync(&repository, &delivery)
            && let Ok(provider) = self.provider()
            && provider.services_syncs.begin(id)
        {
            let (this, provider) = (self.clone(), provider.clone());
            tokio::spawn(async move { this.sync_until_current(id, &provider).await });
        }
        Ok(())
    }

    /// Syncs until no delivery asked for another sync meanwhile.
    async fn sync_until_current(&self, id: RepositoryId, provider: &Provider) {
        loop {
            if let Err(error) = self.sync_services_file(id).await {
                tracing::warn!(repository.id = %id, %error, "what a delivery changed is read with the next sync");
            }
            if !provider.services_syncs.end(id) {
                return;
            }
        }
    }
}

fn needs_sync(repository: &Repository, delivery: &ReceivedDelivery) -> bool {
    repository.is_managed()
        && match delivery.event.as_str() {
            "repository" => true,
            "push" => delivery.branch == repository.default_branch.name,
            _ => false,
        }
}
