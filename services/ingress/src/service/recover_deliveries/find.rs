//! Finds what is missing: compares the provider's lists with what arrived.
use ck8s_types::RepositoryId;
use time::OffsetDateTime;
use tokio::task::JoinSet;

use super::{Recovery, RecoveryOutcome, events};
use crate::{
    domain::{
        hook_delivery::{HookDelivery, HookLog, Redelivery},
        missing_delivery::{Arrival, FoundMissing},
        text::sanitize,
    },
    error::IngressError,
    store::{delivery_keys, missing_deliveries},
};

/// Bounds the repositories that are looked at at once.
const MAX_CONCURRENT_REPOSITORIES: usize = 16;
/// Bounds the open rows of one repository: as many deliveries as one list of the provider holds.
const MAX_OPEN_PER_REPOSITORY: usize = 10_000;
/// Bounds the provider's ids, in bytes: GitHub's have 36 and about 12.
const MAX_ID_BYTES: usize = 100;
/// Bounds the provider's words for how an attempt ended.
pub(super) const MAX_REASON_CHARS: usize = 300;

impl Recovery {
    /// Looks at every hook once. One repository hinders no other.
    pub(super) async fn find(&self, now: OffsetDateTime) -> Result<RecoveryOutcome, IngressError> {
        let mut page_token = String::new();
        let mut searches = JoinSet::new();
        let mut outcome = RecoveryOutcome::Complete;
        loop {
            let page = self.hooks.list(std::mem::take(&mut page_token)).await?;
            page_token = page.next_page_token;
            if let Some(log) = page.log {
                let this = self.clone();
                searches.spawn(async move { this.find_in(log, now).await });
            }
            let is_last = page_token.is_empty();
            let limit = if is_last {
                0
            } else {
                MAX_CONCURRENT_REPOSITORIES
            };
            while searches.len() > limit {
                match searches.join_next().await {
                    Some(Ok(Ok(()))) | None => {}
                    Some(Ok(Err(error))) => {
                        tracing::warn!(%error, "not every missing delivery was looked for");
                        outcome = RecoveryOutcome::Partial;
                    }
                    Some(Err(error)) => {
                        tracing::error!(%error, "the search of a repository broke off");
                        outcome = RecoveryOutcome::Partial;
                    }
                }
            }
            if is_last {
                return Ok(outcome);
            }
        }
    }

    /// Keeps what is missing of one repository's hook, and moves its mark: the next list begins there. The mark passes
    /// a delivery only when it arrived or has a row.
    async fn find_in(&self, log: HookLog, now: OffsetDateTime) -> Result<(), IngressError> {
        let missing = self.missing(&log).await?;
        let (new, left_out) = self.bounded(log.repository_id, missing).await?;
        if !new.is_empty() {
            self.keep(log.repository_id, &new, now).await?;
        }
        let complete_until = match left_out {
            Some(first_left_out) => log.complete_until.min(first_left_out),
            None => log.complete_until,
        };
        let mark = Redelivery {
            repository_id: log.repository_id,
            attempt_ids: Vec::new(),
            complete_until: Some(complete_until),
        };
        self.hooks.redeliver(mark).await?;
        Ok(())
    }

    /// Returns the listed deliveries that did not arrive, or failed here, oldest first.
    async fn missing(&self, log: &HookLog) -> Result<Vec<FoundMissing>, IngressError> {
        let keys: Vec<&str> = log
            .deliveries
            .iter()
            .map(|delivery| delivery.delivery_key.as_str())
            .collect();
        let arrivals = {
            let mut conn = self.pool.acquire().await?;
            delivery_keys::arrivals(&mut conn, log.repository_id, &keys).await?
        };
        let missing = log.deliveries.iter().filter_map(|delivery| {
            let reason = match arrivals.get(&delivery.delivery_key) {
                Some(Arrival::Arrived) => return None,
                Some(Arrival::Failed) => "it arrived and failed here".to_owned(),
                None => sanitize(&delivery.status, MAX_REASON_CHARS),
            };
            found(delivery, reason)
        });
        Ok(missing.collect())
    }

    /// Returns as many of these as may be kept, and the time of the first that is left out.
    async fn bounded(
        &self,
        repository: RepositoryId,
        missing: Vec<FoundMissing>,
    ) -> Result<(Vec<FoundMissing>, Option<OffsetDateTime>), IngressError> {
        let keys: Vec<&str> = missing.iter().map(|m| m.delivery_key.as_str()).collect();
        let mut conn = self.pool.acquire().await?;
        let known = missing_deliveries::known(&mut conn, repository, &keys).await?;
        let open = missing_deliveries::count_open(&mut conn, repository).await?;
        let mut room = MAX_OPEN_PER_REPOSITORY.saturating_sub(usize::try_from(open).unwrap_or(0));
        let (mut kept, mut left_out) = (Vec::new(), None);
        for one in missing {
            if known.contains(&one.delivery_key) {
                kept.push(one);
            } else if room > 0 {
                room -= 1;
                kept.push(one);
            } else {
                left_out.get_or_insert(one.attempted_at);
            }
        }
        if left_out.is_some() {
            tracing::warn!(repository.id = %repository, "too much is missing: the rest is looked for later");
        }
        Ok((kept, left_out))
    }

    /// Keeps these as rows, and tells people about those that had none.
    async fn keep(
        &self,
        repository: RepositoryId,
        missing: &[FoundMissing],
        now: OffsetDateTime,
    ) -> Result<(), IngressError> {
        let about = self.about(repository).await?;
        let keys: Vec<&str> = missing.iter().map(|m| m.delivery_key.as_str()).collect();
        let mut tx = self.pool.begin().await?;
        let known = missing_deliveries::known(&mut tx, repository, &keys).await?;
        let new: Vec<&FoundMissing> = missing
            .iter()
            .filter(|one| !known.contains(&one.delivery_key))
            .collect();
        missing_deliveries::keep(&mut tx, repository, missing, now).await?;
        ck8s_db::events::record(&mut tx, &events::missed(&about, &new)).await?;
        tx.commit().await?;
        if !new.is_empty() {
            tracing::warn!(repository.id = %repository, count = new.len(), "deliveries did not arrive");
        }
        Ok(())
    }
}

/// Returns the delivery as missing; none: it has an id or a time that no delivery can have.
fn found(delivery: &HookDelivery, reason: String) -> Option<FoundMissing> {
    let is_id = |id: &str| (1..=MAX_ID_BYTES).contains(&id.len()) && !id.contains('\0');
    let is_valid = is_id(&delivery.delivery_key) && is_id(&delivery.attempt_id);
    let attempted_at = delivery.time.filter(|_| is_valid)?;
    Some(FoundMissing {
        delivery_key: delivery.delivery_key.clone(),
        attempt_id: delivery.attempt_id.clone(),
        event: sanitize(&delivery.event, MAX_ID_BYTES),
        reason,
        attempted_at,
    })
}
