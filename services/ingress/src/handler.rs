//! After the commit: runs for the deliveries that ask for one, then what became of each. Nothing here can be lost, since all of it
//! follows from the stored delivery: what does not fit, or fails for now, is left to the repair task.
use std::{
    collections::HashSet,
    sync::{Arc, Mutex as SyncMutex, PoisonError},
    time::Duration,
};

use ck8s_db::events::{self, NewEvent};
use ck8s_types::{DeliveryId, ProjectId, RunId};
use sqlx::{Connection, PgPool};
use tokio::sync::{Mutex, Notify, Semaphore, mpsc};

use crate::{
    domain::run::clean,
    error::IngressError,
    ingest::Found,
    metrics,
    peers::{
        Away,
        provider::{Provider, Verdict},
        runs::{Order, Runs},
    },
    store::{
        deliveries::State,
        inbox::{self, Outcome, Wait},
    },
};

/// Handlers: while one waits for runs, the other settles.
pub(crate) const HANDLERS: usize = 2;
/// Batches that wait for the provider at once; more wait for repair.
const ASKING: usize = 32;
/// What may wait for the handlers in memory.
pub(crate) const QUEUE: usize = 4_096;
/// Deliveries of one round.
const MOST: usize = 256;
/// Deliveries that wait to be handled again at once; more wait for the next sweep.
const REVIVED: usize = 10_000;
/// How long a full queue slows the acknowledgements before the rest is left to repair.
const PATIENCE: Duration = Duration::from_millis(500);

/// A stored delivery that asks for a run.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) id: DeliveryId,
    pub(crate) found: Found,
}

/// What leads to the handlers; a clone is the same. They end when the last one is gone.
#[derive(Clone)]
pub(crate) struct Inlet {
    handler: Handler,
    queue: mpsc::Sender<Pending>,
}

impl Inlet {
    pub(crate) fn new(handler: Handler, queue: mpsc::Sender<Pending>) -> Self {
        Self { handler, queue }
    }

    /// Queues what fits; returns the rest.
    pub(crate) fn offer(&self, pending: Vec<Pending>) -> Vec<Pending> {
        if pending.is_empty() {
            return pending;
        }
        self.handler.begin(pending.iter().map(|p| p.id));
        let mut pending = pending.into_iter();
        while let Ok(room) = self.queue.try_reserve() {
            match pending.next() {
                Some(next) => room.send(next),
                None => break,
            }
        }
        pending.collect()
    }

    /// Waits a little for room for the rest; then it is left to repair.
    pub(crate) async fn press(&self, rest: Vec<Pending>) {
        let mut rest = rest.into_iter();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while rest.len() > 0 {
            match tokio::time::timeout_at(deadline, self.queue.reserve()).await {
                Ok(Ok(room)) => {
                    if let Some(next) = rest.next() {
                        room.send(next);
                    }
                }
                Ok(Err(_)) | Err(_) => break,
            }
        }
        let left: Vec<DeliveryId> = rest.map(|p| p.id).collect();
        if !left.is_empty() {
            metrics::left_to_repair(left.len());
            self.handler.end(left);
        }
    }

    /// These are for the repair task, at once.
    pub(crate) fn leave_to_repair(&self, ids: impl Iterator<Item = DeliveryId>) {
        let mut revived = self
            .handler
            .revived
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let room = REVIVED.saturating_sub(revived.len());
        revived.extend(ids.take(room));
        self.handler.repair.notify_one();
    }
}

/// The handler stage; a clone is the same.
#[derive(Clone)]
pub(crate) struct Handler {
    pool: PgPool,
    runs: Runs,
    provider: Provider,
    asking: Arc<Semaphore>,
    in_flight: Arc<SyncMutex<HashSet<DeliveryId>>>,
    revived: Arc<SyncMutex<Vec<DeliveryId>>>,
    repair: Arc<Notify>,
}

impl Handler {
    pub(crate) fn new(pool: PgPool, runs: Runs, provider: Provider) -> Self {
        Self {
            pool,
            runs,
            provider,
            asking: Arc::new(Semaphore::new(ASKING)),
            in_flight: Arc::default(),
            revived: Arc::default(),
            repair: Arc::default(),
        }
    }

    /// Handles what is queued until nobody can queue any more.
    pub(crate) async fn run(self, queue: Arc<Mutex<mpsc::Receiver<Pending>>>) {
        let mut pending = Vec::with_capacity(MOST);
        loop {
            if queue.lock().await.recv_many(&mut pending, MOST).await == 0 {
                return;
            }
            let (ask, plain): (Vec<_>, Vec<_>) = std::mem::take(&mut pending)
                .into_iter()
                .partition(|p| p.found.asks.is_some());
            self.ask_beside(ask);
            self.handle_and_end(plain).await;
        }
    }

    /// Those that the provider is asked about are handled beside: it may be slow, and the others do not wait for it.
    fn ask_beside(&self, pending: Vec<Pending>) {
        if pending.is_empty() {
            return;
        }
        let Ok(permit) = self.asking.clone().try_acquire_owned() else {
            metrics::left_to_repair(pending.len());
            self.end(pending.iter().map(|p| p.id));
            return;
        };
        let this = self.clone();
        tokio::spawn(async move {
            this.handle_and_end(pending).await;
            drop(permit);
        });
    }

    async fn handle_and_end(&self, pending: Vec<Pending>) {
        let ids: Vec<DeliveryId> = pending.iter().map(|p| p.id).collect();
        if let Err(error) = self.handle_fresh(pending).await {
            tracing::warn!(%error, "deliveries are left to be handled again");
            metrics::left_to_repair(ids.len());
        }
        self.end(ids);
    }

    /// Makes runs and writes what became of these, and of others whose outcome is known already. How many do not wait any more.
    pub(crate) async fn handle(
        &self,
        pending: Vec<Pending>,
        mut outcomes: Vec<Outcome>,
    ) -> Result<usize, IngressError> {
        let (created, about, away) = self.create(pending).await?;
        outcomes.extend(created);
        self.settle(&outcomes, &about).await?;
        metrics::handled(&outcomes);
        away.map_or(Ok(outcomes.len()), |away| Err(away.into()))
    }

    /// The same for deliveries that were just stored. Nearly all come to what they were stored with, and then only stop waiting.
    async fn handle_fresh(&self, pending: Vec<Pending>) -> Result<(), IngressError> {
        let (created, about, away) = self.create(pending).await?;
        metrics::handled(&created);
        let (made, others): (Vec<_>, Vec<_>) = created.into_iter().partition(|outcome| {
            outcome.state == State::RunCreated
                && outcome.run_id == Some(RunId::of_delivery(outcome.id))
        });
        if !made.is_empty() {
            let ids: Vec<DeliveryId> = made.iter().map(|outcome| outcome.id).collect();
            let mut conn = self.pool.acquire().await?;
            inbox::made(&mut conn, &ids).await?;
        }
        self.settle(&others, &about).await?;
        away.map_or(Ok(()), |away| Err(away.into()))
    }

    async fn create(&self, pending: Vec<Pending>) -> Result<Created, IngressError> {
        let about: Vec<(DeliveryId, ProjectId)> =
            pending.iter().map(|p| (p.id, p.found.project_id)).collect();
        if pending.is_empty() {
            return Ok((Vec::new(), about, None));
        }
        let Sifted {
            may: pending,
            mut refused,
            waits,
            away: unasked,
        } = self.sift(pending).await;
        if !waits.is_empty() {
            let mut conn = self.pool.acquire().await?;
            inbox::wait_for(&mut conn, &waits).await?;
        }
        let ids: Vec<DeliveryId> = pending.iter().map(|p| p.id).collect();
        let orders = pending.into_iter().map(order).collect();
        let (made, away) = self.runs.create(orders).await;
        let outcomes = ids.iter().zip(made).map(|(id, made)| match made {
            Ok(run) => Outcome {
                id: *id,
                state: State::RunCreated,
                reason: String::new(),
                run_id: Some(run),
            },
            Err(reason) => Outcome {
                id: *id,
                state: State::Failed,
                reason: clean(&reason, 500),
                run_id: None,
            },
        });
        refused.extend(outcomes);
        Ok((refused, about, away.or(unasked)))
    }

    async fn sift(&self, pending: Vec<Pending>) -> Sifted {
        let asked = pending.iter().filter_map(|p| {
            let asks = p.found.asks.clone()?;
            Some((p.found.repository_id, asks))
        });
        let verdicts = self.provider.verdicts(asked).await;
        let mut sifted = Sifted::default();
        for pending in pending {
            let Some(asks) = pending.found.asks.clone() else {
                sifted.may.push(pending);
                continue;
            };
            let (id, name) = (pending.id, &pending.found.wanted.trigger.name);
            let said = |reason: &str| clean(&format!("trigger {name:?}: {reason}"), 500);
            let outcome = |state, reason: &str| Outcome {
                id,
                state,
                reason: said(reason),
                run_id: None,
            };
            match verdicts.get(&(pending.found.repository_id, asks)) {
                Some(Ok(Verdict::May)) => sifted.may.push(pending),
                Some(Ok(Verdict::MayNot(reason))) => {
                    sifted.refused.push(outcome(State::Ignored, reason));
                }
                Some(Ok(Verdict::Unsaid(reason))) => {
                    sifted.refused.push(outcome(State::Failed, reason));
                }
                Some(Ok(Verdict::Later { why, until, away })) => {
                    sifted.waits.push(Wait {
                        id,
                        reason: said(why),
                        until: *until,
                    });
                    sifted.away = away.clone().or(sifted.away);
                }
                Some(Err(away)) => sifted.away = Some(away.clone()),
                None => {}
            }
        }
        sifted
    }

    async fn settle(
        &self,
        outcomes: &[Outcome],
        about: &[(DeliveryId, ProjectId)],
    ) -> sqlx::Result<()> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let mut conn = self.pool.acquire().await?;
        if outcomes
            .iter()
            .all(|outcome| outcome.state != State::Failed)
        {
            inbox::settle(&mut conn, outcomes).await?;
            return Ok(());
        }
        let mut tx = conn.begin().await?;
        let settled: HashSet<DeliveryId> = inbox::settle(&mut tx, outcomes)
            .await?
            .into_iter()
            .collect();
        let failed = outcomes
            .iter()
            .filter(|o| o.state == State::Failed && settled.contains(&o.id));
        let told: Vec<NewEvent> = failed
            .map(|outcome| NewEvent {
                kind: "delivery.failed",
                project_id: about
                    .iter()
                    .find(|(id, _)| *id == outcome.id)
                    .map(|(_, project)| *project),
                run_id: None,
                actor: "service:ingress".to_owned(),
                message: outcome.reason.clone(),
                data: Some(serde_json::json!({"delivery_id": outcome.id.to_string()})),
            })
            .collect();
        events::record(&mut tx, &told).await?;
        tx.commit().await
    }

    /// Marks as being handled here.
    pub(crate) fn begin(&self, ids: impl Iterator<Item = DeliveryId>) {
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(ids);
    }

    /// Not any more.
    pub(crate) fn end(&self, ids: impl IntoIterator<Item = DeliveryId>) {
        let mut in_flight = self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            in_flight.remove(&id);
        }
    }

    /// Those that are not being handled here.
    pub(crate) fn idle(&self, mut ids: Vec<DeliveryId>) -> Vec<DeliveryId> {
        let in_flight = self
            .in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ids.retain(|id| !in_flight.contains(id));
        ids
    }

    /// Until there are some that are to be handled again at once: these.
    pub(crate) async fn revived(&self) -> Vec<DeliveryId> {
        self.repair.notified().await;
        std::mem::take(&mut *self.revived.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What became of deliveries, whose project each is of, and who was away.
type Created = (Vec<Outcome>, Vec<(DeliveryId, ProjectId)>, Option<Away>);

/// Deliveries by what the provider says of their senders.
#[derive(Default)]
struct Sifted {
    /// They may.
    may: Vec<Pending>,
    /// They may not.
    refused: Vec<Outcome>,
    /// The provider does not say now.
    waits: Vec<Wait>,
    /// Who could say is away.
    away: Option<Away>,
}

fn order(pending: Pending) -> Order {
    Order {
        delivery_id: pending.id,
        project_id: pending.found.project_id,
        repository_id: pending.found.repository_id,
        repository_name: pending.found.repository_name,
        wanted: pending.found.wanted,
    }
}
