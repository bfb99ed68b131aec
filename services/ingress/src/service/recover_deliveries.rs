//! Recovers deliveries that a hook made and that never arrived, or failed here: the provider is asked to deliver them
//! again.
use std::{collections::HashMap, sync::Arc};

use ck8s_db::{
    Lock,
    events::{self, FlowEvent},
};
use ck8s_types::{EventKind, RepositoryId};
use parking_lot::Mutex;
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::{
    domain::hook_delivery::{HookDelivery, HookLog, Redelivery},
    error::IngressError,
    peers::hook_deliveries::HookDeliveries,
    store::delivery_keys,
};

/// The lock that lets one replica at a time recover.
const LOCK: &str = "ingress.recovery";
/// Bounds how often one delivery is asked for: what fails as often fails for a reason.
const MAX_REDELIVERIES: u8 = 5;
/// Bounds the deliveries of one call: a provider wants a second between any two, over all repositories of one
/// credential.
const MAX_REDELIVERIES_PER_CALL: usize = 3;
/// Bounds the deliveries that are remembered as asked for.
const MAX_REMEMBERED_DELIVERIES: usize = 100_000;
/// Bounds the repositories that are looked at at once: one from which much is missing takes minutes.
const MAX_CONCURRENT_REPOSITORIES: usize = 16;

/// How one round over all hooks ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RecoveryOutcome {
    /// Another replica does it.
    NotOurs,
    /// Every hook was looked at.
    Complete,
    /// Some repository could not be looked at.
    Partial,
}

/// Recovers deliveries; a clone is the same.
#[derive(Clone)]
pub(crate) struct Recovery {
    pool: PgPool,
    hooks: HookDeliveries,
    /// How often each delivery was asked for, by the provider's id.
    redeliveries: Arc<Mutex<HashMap<String, u8>>>,
}

impl Recovery {
    pub(crate) fn new(pool: PgPool, hooks: HookDeliveries) -> Self {
        Self {
            pool,
            hooks,
            redeliveries: Arc::default(),
        }
    }

    /// Looks at every hook once. One repository hinders no other.
    pub(crate) async fn recover_all(&self) -> Result<RecoveryOutcome, IngressError> {
        let Some(_lock) = Lock::take(&self.pool, LOCK).await? else {
            return Ok(RecoveryOutcome::NotOurs);
        };
        let mut page_token = String::new();
        let mut recoveries = JoinSet::new();
        let mut outcome = RecoveryOutcome::Complete;
        loop {
            let page = self.hooks.list(std::mem::take(&mut page_token)).await?;
            page_token = page.next_page_token;
            if let Some(log) = page.log {
                let this = self.clone();
                recoveries.spawn(async move { this.recover(log).await });
            }
            let is_last = page_token.is_empty();
            let limit = if is_last {
                0
            } else {
                MAX_CONCURRENT_REPOSITORIES
            };
            while recoveries.len() > limit {
                match recoveries.join_next().await {
                    Some(Ok(Ok(()))) | None => {}
                    Some(Ok(Err(error))) => {
                        tracing::warn!(%error, "not every missing delivery was looked for");
                        outcome = RecoveryOutcome::Partial;
                    }
                    Some(Err(error)) => {
                        tracing::error!(%error, "the recovery of a repository broke off");
                    }
                }
            }
            if is_last {
                return Ok(outcome);
            }
        }
    }

    /// Recovers what is missing of one repository's hook.
    async fn recover(&self, log: HookLog) -> Result<(), IngressError> {
        let missing = self.missing(&log).await?;
        let mut recovered = Vec::new();
        let redelivered = self.redeliver(&log, &missing, &mut recovered).await;
        self.record(log.repository_id, &recovered).await?;
        redelivered
    }

    /// Returns the deliveries that did not arrive and that were not asked for too often.
    async fn missing(&self, log: &HookLog) -> Result<Vec<HookDelivery>, IngressError> {
        let keys: Vec<&str> = log
            .deliveries
            .iter()
            .map(|delivery| delivery.delivery_key.as_str())
            .collect();
        let arrived = {
            let mut conn = self.pool.acquire().await?;
            delivery_keys::arrived(&mut conn, log.repository_id, &keys).await?
        };
        let redeliveries = self.redeliveries.lock();
        let is_worth_it = |key: &str| redeliveries.get(key).is_none_or(|n| *n < MAX_REDELIVERIES);
        Ok(log
            .deliveries
            .iter()
            .filter(|delivery| !arrived.contains(&delivery.delivery_key))
            .filter(|delivery| is_worth_it(&delivery.delivery_key))
            .cloned()
            .collect())
    }

    /// Asks for these, a few at a time. The last call says up to when everything was looked for, if everything was.
    async fn redeliver(
        &self,
        log: &HookLog,
        missing: &[HookDelivery],
        recovered: &mut Vec<HookDelivery>,
    ) -> Result<(), IngressError> {
        let mut parts = missing.chunks(MAX_REDELIVERIES_PER_CALL).peekable();
        let mut is_complete = true;
        loop {
            let part = parts.next().unwrap_or_default();
            let is_last = parts.peek().is_none();
            let until = match is_last {
                true => Some(log.complete_until),
                false => part.first().and_then(|delivery| delivery.time),
            };
            self.count(part);
            let redelivery = Redelivery {
                repository_id: log.repository_id,
                attempt_ids: part.iter().map(|d| d.attempt_id.clone()).collect(),
                complete_until: until.filter(|_| is_complete),
            };
            let postponed = self.hooks.redeliver(redelivery).await?;
            is_complete &= postponed.is_empty();
            let accepted = part.iter().filter(|d| !postponed.contains(&d.attempt_id));
            recovered.extend(accepted.cloned());
            if is_last {
                return Ok(());
            }
        }
    }

    /// Counts that these are asked for once more.
    fn count(&self, deliveries: &[HookDelivery]) {
        let mut redeliveries = self.redeliveries.lock();
        if redeliveries.len() > MAX_REMEMBERED_DELIVERIES {
            redeliveries.clear();
        }
        for delivery in deliveries {
            *redeliveries
                .entry(delivery.delivery_key.clone())
                .or_default() += 1;
        }
    }

    /// Records a flow event about what was recovered.
    async fn record(
        &self,
        repository_id: RepositoryId,
        recovered: &[HookDelivery],
    ) -> Result<(), IngressError> {
        let (Some(first), Some(last)) = (recovered.first(), recovered.last()) else {
            return Ok(());
        };
        let count = recovered.len();
        let (project_id, name) = self.hooks.project_and_name(repository_id).await?;
        let message = format!(
            "{name}: {} to {}, {count} recovered: they had not come through and are delivered again",
            hours_and_minutes(first),
            hours_and_minutes(last),
        );
        tracing::info!(repository.id = %repository_id, count, "deliveries are recovered");
        let event = FlowEvent {
            kind: EventKind::DeliveryRecovered,
            project_id,
            run_id: None,
            actor: "service:ingress".to_owned(),
            message,
            data: Some(serde_json::json!({
                "repository_id": repository_id.to_string(),
                "count": count,
            })),
        };
        let mut conn = self.pool.acquire().await?;
        events::record(&mut conn, &[event]).await?;
        Ok(())
    }
}

/// Formats a delivery's time of day, UTC.
fn hours_and_minutes(delivery: &HookDelivery) -> String {
    let time = delivery.time.unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!("{:02}:{:02}", time.hour(), time.minute())
}
