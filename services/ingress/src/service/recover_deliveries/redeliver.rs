//! Asks the provider to deliver again what is due.
use std::collections::HashMap;

use ck8s_types::RepositoryId;
use time::OffsetDateTime;
use tokio::task::JoinSet;

use super::{Recovery, find::MAX_REASON_CHARS};
use crate::{
    domain::{
        hook_delivery::Redelivery,
        missing_delivery::{MissingState, OpenDelivery, Try},
        text::sanitize,
    },
    error::IngressError,
    store::missing_deliveries,
};

/// Bounds the deliveries of one call: a provider wants a second between any two, over all repositories of one
/// credential.
const MAX_REDELIVERIES_PER_CALL: usize = 3;
/// Bounds the deliveries that one round asks for per repository: five minutes' worth.
const MAX_REDELIVERIES_PER_ROUND: i64 = 300;
/// Bounds the repositories that are asked for at once: one from which much is missing takes minutes.
const MAX_CONCURRENT_REPOSITORIES: usize = 16;

impl Recovery {
    /// Asks for everything that is due. One repository hinders no other.
    pub(super) async fn ask(&self, now: OffsetDateTime) -> Result<(), IngressError> {
        let repositories = {
            let mut conn = self.pool.acquire().await?;
            missing_deliveries::due_repositories(&mut conn, now).await?
        };
        let mut requests = JoinSet::new();
        for repository in repositories {
            if requests.len() >= MAX_CONCURRENT_REPOSITORIES {
                log(requests.join_next().await);
            }
            let this = self.clone();
            requests.spawn(async move { this.ask_for(repository, now).await });
        }
        while let Some(ended) = requests.join_next().await {
            log(Some(ended));
        }
        Ok(())
    }

    /// Asks for what is due of one repository, a few at a time, until the provider refuses all of one call.
    async fn ask_for(
        &self,
        repository: RepositoryId,
        now: OffsetDateTime,
    ) -> Result<(), IngressError> {
        let due = {
            let mut conn = self.pool.acquire().await?;
            missing_deliveries::due(&mut conn, repository, now, MAX_REDELIVERIES_PER_ROUND).await?
        };
        for part in due.chunks(MAX_REDELIVERIES_PER_CALL) {
            let tries = self.tries(repository, part, now).await;
            let accepted: Vec<&str> = tries
                .iter()
                .filter(|one| one.state == MissingState::AskedAgain)
                .map(|one| one.delivery_key.as_str())
                .collect();
            let mut tx = self.pool.begin().await?;
            missing_deliveries::note_tries(&mut tx, repository, &tries, now).await?;
            // The provider takes requests again: what it refused before does not wait any longer.
            let refused_before = [MissingState::Missing];
            missing_deliveries::hurry(&mut tx, repository, &accepted, &refused_before, now).await?;
            tx.commit().await?;
            if accepted.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Asks for these, and returns what became of each request.
    async fn tries(
        &self,
        repository: RepositoryId,
        part: &[OpenDelivery],
        now: OffsetDateTime,
    ) -> Vec<Try> {
        let redelivery = Redelivery {
            repository_id: repository,
            attempt_ids: part.iter().map(|d| d.attempt_id.clone()).collect(),
            complete_until: None,
        };
        let (refused, failure) = match self.hooks.redeliver(redelivery).await {
            Ok(refused) => (refused, None),
            Err(error) => {
                tracing::warn!(repository.id = %repository, %error, "missing deliveries are asked for later");
                (Vec::new(), Some(error.to_string()))
            }
        };
        let reasons: HashMap<&str, &str> = refused
            .iter()
            .map(|one| (one.attempt_id.as_str(), one.reason.as_str()))
            .collect();
        let result = |delivery: &OpenDelivery| {
            let refusal = failure.as_deref();
            let refusal = refusal.or_else(|| reasons.get(delivery.attempt_id.as_str()).copied());
            let (state, reason) = match refusal {
                // Why it did not arrive is still what the last attempt said.
                None => (MissingState::AskedAgain, delivery.reason.clone()),
                Some(reason) => (delivery.state, sanitize(reason, MAX_REASON_CHARS)),
            };
            Try {
                delivery_key: delivery.delivery_key.clone(),
                state,
                reason,
                next_try_at: delivery.next_try_at(now),
            }
        };
        part.iter().map(result).collect()
    }
}

fn log(ended: Option<Result<Result<(), IngressError>, tokio::task::JoinError>>) {
    match ended {
        Some(Ok(Ok(()))) | None => {}
        Some(Ok(Err(error))) => {
            tracing::warn!(%error, "not every missing delivery was asked for");
        }
        Some(Err(error)) => tracing::error!(%error, "the requests of a repository broke off"),
    }
}
