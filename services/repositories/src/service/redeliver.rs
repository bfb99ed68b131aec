//! Asks the provider to make deliveries of a hook again.
use ck8s_provider::ProviderError;
use ck8s_types::RepositoryId;
use time::OffsetDateTime;

use super::repositories::Repositories;
use crate::{error::Error, store::provider_state};

impl Repositories {
    /// Asks the provider to make deliveries again. If it accepts all of them, notes that every delivery up to `until`
    /// was looked for. Returns the attempts that it did not accept for now.
    pub(crate) async fn redeliver(
        &self,
        repository: RepositoryId,
        attempts: &[String],
        until: Option<OffsetDateTime>,
    ) -> Result<Vec<String>, Error> {
        let (repository, remote) = self.load_remote(repository).await?;
        let hook_id = repository.hook.id.as_deref().unwrap_or_default();
        let mut later = Vec::new();
        for attempt in attempts {
            let redelivered = remote
                .api()
                .redeliver(&remote.credential, &remote.remote, hook_id, attempt)
                .await;
            match redelivered {
                Ok(()) => {}
                Err(ProviderError::NotFound(_) | ProviderError::Invalid(_)) => {
                    tracing::warn!(repository.id = %repository.id, attempt, "the provider no longer has a delivery");
                }
                // Others may succeed.
                Err(ProviderError::Unavailable(why)) => {
                    tracing::warn!(repository.id = %repository.id, attempt, why, "a delivery is asked for later");
                    later.push(attempt.clone());
                }
                Err(error) => {
                    self.note_provider_error(&repository, &error).await;
                    return Err(Error::at("asking for deliveries again")(error));
                }
            }
        }
        if let Some(until) = until.filter(|_| later.is_empty()) {
            let mut conn = self.pool.acquire().await?;
            provider_state::set_recovered_until(&mut conn, repository.id, until).await?;
        }
        Ok(later)
    }
}
