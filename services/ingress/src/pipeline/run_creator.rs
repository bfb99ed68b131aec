//! Creates the runs of stored deliveries and writes each delivery's outcome.
use ck8s_types::DeliveryId;
use sqlx::PgPool;

use super::{outcomes, sender_check};
use crate::{
    domain::{
        delivery::{DeliveryOutcome, Postponement},
        delivery_progress::{DeliveryEnd, DeliveryProgress, RunAnswer},
        run_request::{PendingDelivery, PendingRun, RunPlace},
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
#[derive(Default)]
struct Handled {
    /// Those that end as they were stored: all their runs exist.
    as_stored: Vec<DeliveryOutcome>,
    others: Vec<DeliveryOutcome>,
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
        pending: Vec<PendingDelivery>,
        mut known: Vec<DeliveryOutcome>,
    ) -> Result<usize, IngressError> {
        let handled = self.create(pending).await?;
        known.extend(handled.as_stored);
        known.extend(handled.others);
        outcomes::write(&self.pool, &known, &handled.projects).await?;
        metrics::deliveries_handled(&known);
        handled
            .unavailable
            .map_or(Ok(known.len()), |cause| Err(cause.into()))
    }

    /// Does the same for deliveries that were just stored. Nearly all of them end as they were stored, and then only
    /// stop waiting.
    pub(crate) async fn handle_new(
        &self,
        pending: Vec<PendingDelivery>,
    ) -> Result<(), IngressError> {
        let handled = self.create(pending).await?;
        metrics::deliveries_handled(&handled.as_stored);
        metrics::deliveries_handled(&handled.others);
        if !handled.as_stored.is_empty() {
            let ids: Vec<DeliveryId> = handled.as_stored.iter().map(|end| end.id).collect();
            let mut conn = self.pool.acquire().await?;
            waiting::finish(&mut conn, &ids).await?;
        }
        outcomes::write(&self.pool, &handled.others, &handled.projects).await?;
        handled
            .unavailable
            .map_or(Ok(()), |cause| Err(cause.into()))
    }

    /// Creates what nobody has to be asked about, then asks about the rest and creates what may run.
    async fn create(&self, pending: Vec<PendingDelivery>) -> Result<Handled, IngressError> {
        let projects = pending
            .iter()
            .filter_map(|p| Some((p.id, p.requests.runs.first()?.project_id)))
            .collect();
        let mut progress = BatchProgress::default();
        let runs = progress.begin(pending);
        let (asking, plain) = runs
            .into_iter()
            .partition::<Vec<_>, _>(|run| run.request.question.is_some());
        let mut unavailable = self.create_runs(plain, &mut progress).await;
        if !asking.is_empty() {
            let checked = sender_check::check(&self.write_access, asking).await;
            for (place, answer) in checked.answers {
                progress.answer(place, answer);
            }
            let missing = self.create_runs(checked.granted, &mut progress).await;
            unavailable = unavailable.or(missing).or(checked.unavailable);
        }
        let (handled, postponed) = progress.end();
        if !postponed.is_empty() {
            let mut conn = self.pool.acquire().await?;
            waiting::postpone(&mut conn, &postponed).await?;
        }
        Ok(Handled {
            projects,
            unavailable,
            ..handled
        })
    }

    /// Creates runs and notes what became of each. Returns why the rest could not be asked for.
    async fn create_runs(
        &self,
        runs: Vec<PendingRun>,
        progress: &mut BatchProgress,
    ) -> Option<ServiceUnavailable> {
        if runs.is_empty() {
            return None;
        }
        let places: Vec<RunPlace> = runs.iter().map(|run| run.place).collect();
        let created = self.runs.create(runs).await;
        for (place, run) in places.into_iter().zip(created.results) {
            match run {
                Ok(run_id) => progress.answer(place, RunAnswer::Created(run_id)),
                Err(reason) => progress.fail(place, reason),
            }
        }
        created.unavailable
    }
}

/// What became of the runs of several deliveries.
#[derive(Default)]
struct BatchProgress(Vec<DeliveryProgress>);

impl BatchProgress {
    /// Begins with these deliveries and returns their runs.
    fn begin(&mut self, pending: Vec<PendingDelivery>) -> Vec<PendingRun> {
        let mut all = Vec::with_capacity(pending.len());
        for (nr, delivery) in pending.into_iter().enumerate() {
            let delivery_id = delivery.id;
            let (progress, runs) = DeliveryProgress::new(delivery);
            self.0.push(progress);
            let runs = runs.into_iter().enumerate();
            all.extend(runs.map(|(run, request)| PendingRun {
                delivery_id,
                place: RunPlace { delivery: nr, run },
                request,
            }));
        }
        all
    }

    fn answer(&mut self, place: RunPlace, answer: RunAnswer) {
        if let Some(delivery) = self.0.get_mut(place.delivery) {
            delivery.answer(place.run, answer);
        }
    }

    fn fail(&mut self, place: RunPlace, reason: String) {
        if let Some(delivery) = self.0.get_mut(place.delivery) {
            delivery.fail(place.run, reason);
        }
    }

    fn end(self) -> (Handled, Vec<Postponement>) {
        let (mut handled, mut postponed) = (Handled::default(), Vec::new());
        for delivery in self.0 {
            match delivery.end() {
                DeliveryEnd::Outcome { outcome, as_stored } if as_stored => {
                    handled.as_stored.push(outcome);
                }
                DeliveryEnd::Outcome { outcome, .. } => handled.others.push(outcome),
                DeliveryEnd::Waits(postponement) => postponed.extend(postponement),
            }
        }
        (handled, postponed)
    }
}
