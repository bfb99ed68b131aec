//! Finds deliveries that a hook made and that never arrived, or failed here, and has the provider make them again. On start and every
//! five minutes; one replica at a time.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ck8s_db::events::{self, NewEvent};
use ck8s_proto::repositories::v1::{
    HookDelivery, ListHookDeliveriesResponse, RedeliverHookDeliveriesRequest,
};
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{error::IngressError, peers::provider::Provider, store::recovery};

/// Between rounds.
const PERIOD: Duration = Duration::from_secs(300);
/// After a round that could not begin.
const PAUSE: Duration = Duration::from_secs(10);
/// After a round in which some repository was not looked at.
const AGAIN: Duration = Duration::from_secs(60);
/// How often one delivery is asked for: what fails as often fails for a reason.
const TRIES: u8 = 5;
/// Asked for in one call: a provider wants a second between any two, of all repositories of one credential.
const MOST: usize = 3;
/// Deliveries that are remembered as asked for.
const REMEMBERED: usize = 100_000;

/// Repositories that are looked at at once: one from which much is missing takes minutes.
const ABREAST: usize = 16;

/// What recovery works with; a clone is the same.
#[derive(Clone)]
pub(crate) struct Recovery {
    pool: PgPool,
    provider: Provider,
    asked: Arc<Mutex<HashMap<String, u8>>>,
}

impl Recovery {
    pub(crate) fn new(pool: PgPool, provider: Provider) -> Self {
        Self {
            pool,
            provider,
            asked: Arc::default(),
        }
    }

    /// Goes its rounds until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let rounds = async {
            loop {
                let pause = match self.round().await {
                    Ok(true) => PERIOD,
                    Ok(false) => AGAIN,
                    Err(error) => {
                        tracing::warn!(%error, "no delivery was looked for");
                        PAUSE
                    }
                };
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            () = rounds => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// One look at every hook; whether all went well.
    async fn round(&self) -> Result<bool, IngressError> {
        let Some(_alone) = recovery::alone(&self.pool).await? else {
            return Ok(true);
        };
        let mut page_token = String::new();
        let mut looking = JoinSet::new();
        let mut well = true;
        loop {
            let page = self
                .provider
                .hook_deliveries(std::mem::take(&mut page_token))
                .await;
            let page = page.map_err(|status| away(&status))?;
            page_token.clone_from(&page.next_page_token);
            // One repository hinders no other.
            if page.until.is_some() {
                let this = self.clone();
                looking.spawn(async move { this.look(page).await });
            }
            let most = if page_token.is_empty() { 0 } else { ABREAST };
            while looking.len() > most {
                match looking.join_next().await {
                    Some(Ok(Ok(()))) | None => {}
                    Some(Ok(Err(error))) => {
                        tracing::warn!(%error, "not every delivery was looked for");
                        well = false;
                    }
                    Some(Err(fault)) => tracing::error!(%fault, "a look for deliveries ended"),
                }
            }
            if page_token.is_empty() {
                return Ok(well);
            }
        }
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<String, u8>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self, mut page: ListHookDeliveriesResponse) -> Result<(), IngressError> {
        let keys: Vec<&str> = page
            .deliveries
            .iter()
            .map(|delivery| delivery.delivery_id.as_str())
            .collect();
        let arrived = {
            let mut conn = self.pool.acquire().await?;
            recovery::arrived(&mut conn, &keys).await?
        };
        let missing: Vec<HookDelivery> = {
            let asked = self.asked();
            std::mem::take(&mut page.deliveries)
                .into_iter()
                .filter(|delivery| !arrived.contains(&delivery.delivery_id))
                .filter(|d| asked.get(&d.delivery_id).is_none_or(|n| *n < TRIES))
                .collect()
        };
        let mut recovered = Vec::new();
        let asked = self.ask_for(&page, missing, &mut recovered).await;
        self.tell(&page.repository_id, &recovered).await?;
        asked
    }

    /// Asks for these, some at a time. The last of many says up to when all were looked for, if all were.
    async fn ask_for(
        &self,
        page: &ListHookDeliveriesResponse,
        missing: Vec<HookDelivery>,
        recovered: &mut Vec<HookDelivery>,
    ) -> Result<(), IngressError> {
        let mut parts = missing.chunks(MOST).peekable();
        let mut complete = true;
        loop {
            let part = parts.next().unwrap_or_default();
            let last = parts.peek().is_none();
            let until = match last {
                true => page.until,
                false => part.first().and_then(|d| d.time),
            };
            self.count(part);
            let again = RedeliverHookDeliveriesRequest {
                repository_id: page.repository_id.clone(),
                attempt_ids: part.iter().map(|d| d.attempt_id.clone()).collect(),
                until: until.filter(|_| complete),
            };
            let later = self.provider.redeliver(again).await;
            let later = later.map_err(|status| away(&status))?;
            complete &= later.is_empty();
            let taken = part.iter().filter(|d| !later.contains(&d.attempt_id));
            recovered.extend(taken.cloned());
            if last {
                return Ok(());
            }
        }
    }

    /// These are asked for once more.
    fn count(&self, deliveries: &[HookDelivery]) {
        let mut asked = self.asked();
        if asked.len() > REMEMBERED {
            asked.clear();
        }
        for delivery in deliveries {
            *asked.entry(delivery.delivery_id.clone()).or_default() += 1;
        }
    }

    async fn tell(
        &self,
        repository_id: &str,
        missing: &[HookDelivery],
    ) -> Result<(), IngressError> {
        let (Some(first), Some(last)) = (missing.first(), missing.last()) else {
            return Ok(());
        };
        let of = self.provider.project_of(repository_id).await;
        let (project_id, name) = of.map_err(|status| away(&status))?;
        let message = format!(
            "{name}: {} to {}, {} recovered: they had not come through and are delivered again",
            clock(first),
            clock(last),
            missing.len()
        );
        tracing::info!(
            repository.id = repository_id,
            count = missing.len(),
            "deliveries are recovered"
        );
        let told = NewEvent {
            kind: "delivery.recovered",
            project_id,
            run_id: None,
            actor: "service:ingress".to_owned(),
            message,
            data: Some(serde_json::json!({
                "repository_id": repository_id,
                "count": missing.len(),
            })),
        };
        let mut conn = self.pool.acquire().await?;
        events::record(&mut conn, &[told]).await?;
        Ok(())
    }
}

/// Hours and minutes, UTC.
fn clock(delivery: &HookDelivery) -> String {
    let at = delivery.time.as_ref().map_or(0, |time| time.seconds);
    OffsetDateTime::from_unix_timestamp(at)
        .map(|at| format!("{:02}:{:02}", at.hour(), at.minute()))
        .unwrap_or_default()
}

fn away(status: &tonic::Status) -> IngressError {
    crate::peers::Away {
        service: "repositories",
        cause: format!("{:?}", status.code()),
    }
    .into()
}
