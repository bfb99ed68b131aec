//! Creates the runs of stored deliveries and writes each delivery's outcome.
use ck8s_types::{DeliveryId, RunId};
use sqlx::PgPool;

use super::{outcomes, sender_check};
use crate::{
    domain::{
        delivery::{DeliveryOutcome, DeliveryState},
        run_request::PendingRun,
        unavailable::ServiceUnavailable,
    },
    error::IngressError,
    metrics,
    peers::{runs::RunsClient, write_access::WriteAccessClient},
    store::waiting,
};

/// Creates runs; a clone is the same.
#[derive(Clone)]
pub(crate) struct RunCreator {
    pool: PgPool,
    runs: RunsClient,
    write_access: WriteAccessClient,
}

/// What became of some deliveries.
struct Handled {
    outcomes: Vec<DeliveryOutcome>,
    projects: outcomes::Projects,
    /// Set if a service was unavailable: deliveries without an outcome go on waiting.
    unavailable: Option<ServiceUnavailable>,
}

impl RunCreator {
    pub(crate) fn new(pool: PgPool, runs: RunsClient, write_access: WriteAccessClient) -> Self {
        Self {
            pool,
            runs,
            write_access,
        }
    }

    /// Creates runs and writes the outcomes, together with outcomes that are known already. Returns how many deliveries
    /// wait no longer.
    pub(crate) async fn handle(
        &self,
        pending: Vec<PendingRun>,
        mut known: Vec<DeliveryOutcome>,
    ) -> Result<usize, IngressError> {
        let handled = self.create(pending).await?;
        known.extend(handled.outcomes);
        outcomes::write(&self.pool, &known, &handled.projects).await?;
        metrics::deliveries_handled(&known);
        handled
            .unavailable
            .map_or(Ok(known.len()), |cause| Err(cause.into()))
    }

    /// Does the same for deliveries that were just stored. Nearly all of them end as they were stored, and then only
    /// stop waiting.
    pub(crate) async fn handle_new(&self, pending: Vec<PendingRun>) -> Result<(), IngressError> {
        let handled = self.create(pending).await?;
        metrics::deliveries_handled(&handled.outcomes);
        let (as_stored, others): (Vec<_>, Vec<_>) =
            handled.outcomes.into_iter().partition(|outcome| {
                outcome.state == DeliveryState::RunCreated
                    && outcome.run_id == Some(RunId::of_delivery(outcome.id))
            });
        if !as_stored.is_empty() {
            let ids: Vec<DeliveryId> = as_stored.iter().map(|outcome| outcome.id).collect();
            let mut conn = self.pool.acquire().await?;
            waiting::finish(&mut conn, &ids).await?;
        }
        outcomes::write(&self.pool, &others, &handled.projects).await?;
        handled
            .unavailable
            .map_or(Ok(()), |cause| Err(cause.into()))
    }

    async fn create(&self, pending: Vec<PendingRun>) -> Result<Handled, IngressError> {
        let projects = pending
            .iter()
            .map(|p| (p.delivery_id, p.request.project_id))
            .collect();
        if pending.is_empty() {
            return Ok(Handled {
                outcomes: Vec::new(),
                projects,
                unavailable: None,
            });
        }
        let checked = sender_check::check(&self.write_access, pending).await;
        if !checked.postponed.is_empty() {
            let mut conn = self.pool.acquire().await?;
            waiting::postpone(&mut conn, &checked.postponed).await?;
        }
        let ids: Vec<DeliveryId> = checked.granted.iter().map(|p| p.delivery_id).collect();
        let created = self.runs.create(checked.granted).await;
        let mut outcomes = checked.refused;
        outcomes.extend(ids.iter().zip(created.results).map(|(id, run)| match run {
            Ok(run_id) => DeliveryOutcome::run_created(*id, run_id),
            Err(reason) => DeliveryOutcome::failed(*id, &reason),
        }));
        Ok(Handled {
            outcomes,
            projects,
            unavailable: created.unavailable.or(checked.unavailable),
        })
    }
}
