//! Asks the provider to make deliveries of a hook again.
use ck8s_provider::ProviderError;
use ck8s_types::RepositoryId;
use time::OffsetDateTime;

use super::repositories::Repositories;
use crate::{domain::hook_delivery::RefusedRedelivery, error::Error, store::provider_state};

impl Repositories {
    /// Asks the provider to make deliveries again. Notes that every delivery up to `until` arrived or is kept as
    /// missing, unless it refuses one. Returns the attempts that it does not repeat now, each with the reason.
    pub(crate) async fn redeliver(
        &self,
        repository: RepositoryId,
        attempts: &[String],
        until: Option<OffsetDateTime>,
    ) -> Result<Vec<RefusedRedelivery>, Error> {
        let (repository, remote) = self.load_remote(repository).await?;
        let hook_id = repository.hook.id.as_deref().unwrap_or_default();
        let mut refused = Vec::new();
        // Why the provider would refuse every further attempt, too.
        let mut obstacle = repository
            .provider
            .limited_until(OffsetDateTime::now_utc())
            .map(|_| "the provider takes no requests now".to_owned());
        for attempt in attempts {
            let reason = match &obstacle {
                Some(reason) => reason.clone(),
                None => {
                    let redelivered = remote
                        .api()
                        .redeliver(&remote.credential, &remote.remote, hook_id, attempt)
                        .await;
                    let Err(error) = redelivered else {
                        continue;
                    };
                    tracing::warn!(repository.id = %repository.id, attempt, %error, "the provider does not deliver again");
                    let reason = error.to_string();
                    if !concerns_one_attempt(&error) {
                        self.note_provider_error(&repository, &error).await;
                        obstacle = Some(reason.clone());
                    }
                    reason
                }
            };
            refused.push(RefusedRedelivery {
                attempt_id: attempt.clone(),
                reason,
            });
        }
        if let Some(until) = until.filter(|_| refused.is_empty()) {
            let mut conn = self.pool.acquire().await?;
            provider_state::set_recovered_until(&mut conn, repository.id, until).await?;
        }
        Ok(refused)
    }
}

/// Reports whether other attempts may succeed after this error.
fn concerns_one_attempt(error: &ProviderError) -> bool {
    matches!(
        error,
        ProviderError::NotFound(_) | ProviderError::Invalid(_) | ProviderError::Unavailable(_)
    )
}
