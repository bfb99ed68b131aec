//! Resolves repositories for ingress, which verifies and matches deliveries with them.
use std::collections::HashMap;

use ck8s_types::RepositoryId;
use secrecy::SecretString;

use super::repositories::Repositories;
use crate::{
    domain::repository::{Repository, ResolvedRepository},
    error::Error,
    store::{
        repositories::{self, BEGIN_SNAPSHOT},
        webhook_secrets::{self, WebhookSecret},
    },
};

impl Repositories {
    /// Returns the repositories whose webhooks name these ids of the provider; of each, oldest first.
    pub(crate) async fn resolve(
        &self,
        external_ids: &[String],
    ) -> Result<Vec<ResolvedRepository>, Error> {
        // One snapshot: a secret that is rotated meanwhile is neither doubled nor missing.
        let mut tx = self.pool.begin_with(BEGIN_SNAPSHOT).await?;
        let ids = repositories::claimants(&mut tx, external_ids).await?;
        let mut repositories = repositories::load(&mut tx, &ids).await?;
        repositories.sort_by_key(|repository| repository.id);
        let secrets = webhook_secrets::valid(&mut tx, &ids).await?;
        tx.commit().await?;
        let mut secrets_of: HashMap<RepositoryId, Vec<WebhookSecret>> = HashMap::new();
        for secret in secrets {
            secrets_of
                .entry(secret.repository_id)
                .or_default()
                .push(secret);
        }
        let resolved = repositories.into_iter().map(|repository| {
            let secrets = secrets_of.remove(&repository.id).unwrap_or_default();
            self.resolved(repository, &secrets)
        });
        Ok(resolved.collect())
    }

    fn resolved(&self, repository: Repository, secrets: &[WebhookSecret]) -> ResolvedRepository {
        let opened = secrets
            .iter()
            .filter_map(|secret| self.open_or_log(&repository, secret))
            .collect();
        ResolvedRepository {
            webhook_secrets: opened,
            expires_at: secrets.iter().find_map(|secret| secret.expires_at),
            view: self.view(repository),
        }
    }

    /// Opens a webhook secret. One that does not open must not hinder other repositories; its deliveries are refused.
    fn open_or_log(&self, repository: &Repository, secret: &WebhookSecret) -> Option<SecretString> {
        let row = secret.row().associated_data();
        let opened = self.key_ring.open_text(&row, &secret.sealed);
        opened
            .inspect_err(|error| {
                tracing::error!(repository.id = %repository.id, %error, "a webhook secret cannot be opened");
            })
            .ok()
    }
}
