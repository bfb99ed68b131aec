//! Lists what the hooks of repositories tried to deliver, one repository per call.
use std::time::Duration as StdDuration;

use ck8s_provider::{DeliveryAttempt, ProviderError};
use ck8s_types::RepositoryId;
use time::{Duration, OffsetDateTime};
use tokio::time::timeout;

use super::repositories::Repositories;
use crate::{
    domain::hook_delivery::{HookDeliveries, ListedDeliveries, by_delivery},
    error::Error,
    store::provider_state,
};

/// Bounds how old the listed attempts are: the provider keeps them no longer.
const MAX_ATTEMPT_AGE: Duration = Duration::days(3);
/// How much of the time before is looked at again: the provider's times are whole seconds of its own clock. What
/// arrived is not asked for again.
const LISTING_OVERLAP: Duration = Duration::minutes(1);
/// How old an attempt is when the provider surely lists it.
const MIN_ATTEMPT_AGE: Duration = Duration::seconds(30);
/// How long listing may take: less than the caller waits.
const LISTING_TIMEOUT: StdDuration = StdDuration::from_secs(45);

impl Repositories {
    /// Lists what the hook of the next repository tried since it was last listed; none: no repository comes after this
    /// one.
    pub(crate) async fn hook_deliveries(
        &self,
        after: Option<RepositoryId>,
    ) -> Result<Option<HookDeliveries>, Error> {
        if self.provider().is_err() {
            return Ok(None);
        }
        let next = {
            let mut conn = self.pool.acquire().await?;
            provider_state::next_with_hook(&mut conn, after).await?
        };
        let Some(repository) = next else {
            return Ok(None);
        };
        let now = OffsetDateTime::now_utc();
        // No repository hinders another: a problem of this one is logged, and the next round tries again.
        let listed = match timeout(LISTING_TIMEOUT, self.list_attempts(repository, now)).await {
            Ok(Ok(attempts)) => attempts.map(|attempts| ListedDeliveries {
                until: now - MIN_ATTEMPT_AGE,
                // Nobody misses a ping.
                deliveries: by_delivery(attempts.into_iter().filter(|a| a.event != "ping")),
            }),
            Ok(Err(error)) => {
                tracing::warn!(repository.id = %repository, %error, "the deliveries of a hook were not listed");
                None
            }
            Err(_) => {
                tracing::warn!(repository.id = %repository, "listing the deliveries of a hook took too long");
                None
            }
        };
        Ok(Some(HookDeliveries { repository, listed }))
    }

    /// Returns what a repository's hook tried since it was last listed; none: the provider cannot be asked now.
    async fn list_attempts(
        &self,
        id: RepositoryId,
        now: OffsetDateTime,
    ) -> Result<Option<Vec<DeliveryAttempt>>, Error> {
        let (repository, remote) = self.load_remote(id).await?;
        let hook = &repository.hook;
        let is_limited = repository.provider.limited_until(now).is_some();
        let Some(hook_id) = hook.id.as_deref().filter(|_| !is_limited) else {
            return Ok(None);
        };
        let since = hook.recovered_until.unwrap_or(repository.created_at);
        let since = (since - LISTING_OVERLAP).max(now - MAX_ATTEMPT_AGE);
        let attempts = remote
            .api()
            .list_delivery_attempts(&remote.credential, &remote.remote, hook_id, since)
            .await;
        match attempts {
            Ok(attempts) => Ok(Some(attempts)),
            Err(error) => {
                self.note_provider_error(&repository, &error).await;
                if matches!(error, ProviderError::NotFound(_)) {
                    let problem = "it is not at the provider any more";
                    let mut conn = self.pool.acquire().await?;
                    provider_state::set_hook_problem(&mut conn, id, Some(problem)).await?;
                }
                Ok(None)
            }
        }
    }
}
