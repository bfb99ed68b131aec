//! Stores deliveries by group commit: whatever waits when a writer is free is written in one statement. There is no
//! timer: a lone delivery is written at once, and under load the batches grow by themselves.
use std::{collections::HashSet, time::Duration};

use ck8s_batch::{Batches, split_by_size};
use ck8s_db::events::{self, FlowEvent};
use ck8s_types::{DeliveryId, EventKind};
use sqlx::{Connection, PgPool, Postgres, pool::PoolConnection};
use tokio::sync::oneshot;

use super::handoff::Handoff;
use crate::{
    domain::{
        delivery::{DeliveryKey, NewDelivery},
        rejection::Rejection,
        run_request::{PendingDelivery, RunRequests},
        webhook::WebhookOutcome,
    },
    metrics,
    store::{deliveries, waiting},
};

/// How many writers there are: while one waits for its commit, the other fills its batch.
pub(crate) const WRITERS: usize = 2;
/// Bounds the deliveries that wait for the writers; more wait outside.
pub(crate) const WRITE_QUEUE_CAPACITY: usize = 1_024;
/// Bounds the rows of one statement.
pub(crate) const MAX_BATCH_ROWS: usize = 256;
/// Bounds the bytes of one statement: one of the largest bodies goes alone or with a few.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;
/// Bounds the runs of a delivery in the queue of the run workers, and so its memory. One that asks for more is left to
/// repair at once, which takes as many as fit.
const MAX_QUEUED_RUNS: usize = 16;
/// Bounds how long a writer waits for a connection before it rejects its batch.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A delivery on its way into the database.
pub(crate) struct WriteRequest {
    pub(crate) delivery: NewDelivery,
    /// Receives the outcome after the commit.
    pub(crate) reply: oneshot::Sender<WebhookOutcome>,
}

/// One writer.
pub(crate) struct Writer {
    pool: PgPool,
    handoff: Handoff,
    conn: Option<PoolConnection<Postgres>>,
}

impl Writer {
    pub(crate) fn new(pool: PgPool, handoff: Handoff) -> Self {
        Self {
            pool,
            handoff,
            conn: None,
        }
    }

    /// Writes what is queued until nobody can queue any more.
    pub(crate) async fn run(mut self, mut batches: Batches<WriteRequest>) {
        while let Some(batch) = batches.next().await {
            // Sorted: two writers that have the same keys wait for each other and never deadlock.
            batch.sort_by(|a, b| a.delivery.order().cmp(&b.delivery.order()));
            for part in split_by_size(batch, MAX_BATCH_BYTES, |r| r.delivery.payload.len()) {
                metrics::batch_written(part.len());
                self.write(part).await;
            }
        }
    }

    async fn write(&mut self, batch: Vec<WriteRequest>) {
        let ids: Vec<DeliveryId> = batch.iter().map(|_| DeliveryId::new()).collect();
        let rows: Vec<_> = ids
            .iter()
            .copied()
            .zip(batch.iter().map(|item| &item.delivery))
            .collect();
        match self.insert(&rows).await {
            Ok(stored) => self.reply(batch, &ids, |id| stored.contains(&id)).await,
            Err(error) if ck8s_db::is_unavailable(&error) => reject(batch, &error),
            Err(error) if batch.len() == 1 && !ck8s_db::is_retryable(&error) => {
                reject(batch, &error);
            }
            Err(error) => {
                tracing::warn!(%error, rows = batch.len(), "a batch failed; its rows are written one by one");
                for item in batch {
                    self.write_alone(item).await;
                }
            }
        }
    }

    async fn write_alone(&mut self, item: WriteRequest) {
        let id = DeliveryId::new();
        match self.insert(&[(id, &item.delivery)]).await {
            Ok(stored) => {
                self.reply(vec![item], &[id], |id| stored.contains(&id))
                    .await;
            }
            Err(error) => reject(vec![item], &error),
        }
    }

    async fn insert(
        &mut self,
        rows: &[(DeliveryId, &NewDelivery)],
    ) -> sqlx::Result<HashSet<DeliveryId>> {
        let was_kept = self.conn.is_some();
        match self.insert_once(rows).await {
            // The kept connection was lost while it was idle. If the first attempt was stored after all, the second one
            // finds a duplicate.
            Err(error) if was_kept && ck8s_db::is_unavailable(&error) => {
                self.insert_once(rows).await
            }
            result => result,
        }
    }

    async fn insert_once(
        &mut self,
        rows: &[(DeliveryId, &NewDelivery)],
    ) -> sqlx::Result<HashSet<DeliveryId>> {
        let stored = deliveries::insert(self.conn().await?, rows).await;
        if let Err(error) = &stored
            && (ck8s_db::is_unavailable(error) || !matches!(error, sqlx::Error::Database(_)))
        {
            self.conn = None;
        }
        stored
    }

    /// Returns the writer's connection, which is kept from batch to batch.
    async fn conn(&mut self) -> sqlx::Result<&mut PoolConnection<Postgres>> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => tokio::time::timeout(CONNECT_TIMEOUT, working_connection(&self.pool))
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)??,
        };
        Ok(self.conn.insert(conn))
    }

    /// Hands new deliveries over, reopens those that failed before, and replies.
    async fn reply(
        &mut self,
        batch: Vec<WriteRequest>,
        ids: &[DeliveryId],
        stored: impl Fn(DeliveryId) -> bool,
    ) {
        let (mut pending, mut aside) = (Vec::new(), Vec::new());
        let mut replies = Vec::with_capacity(batch.len());
        let mut duplicates = Vec::new();
        for (item, id) in batch.into_iter().zip(ids) {
            if stored(*id) {
                let requests = RunRequests {
                    runs: item.delivery.runs,
                    reason: item.delivery.reason,
                };
                match requests.runs.len() {
                    0 => {}
                    1..=MAX_QUEUED_RUNS => pending.push(PendingDelivery {
                        id: *id,
                        requests,
                        run_ids: Vec::new(),
                    }),
                    _ => aside.push(*id),
                }
                replies.push((item.reply, WebhookOutcome::Accepted));
            } else {
                duplicates.push(item.delivery.delivery_key());
                replies.push((item.reply, WebhookOutcome::Duplicate));
            }
        }
        let left = self.handoff.offer(pending);
        if !aside.is_empty() {
            self.handoff.repair_now(aside.into_iter());
        }
        if !duplicates.is_empty()
            && let Err(error) = self.reopen_failed(&duplicates).await
        {
            tracing::warn!(%error, "deliveries that were sent again could not be reopened");
        }
        for (reply, outcome) in replies {
            // The caller may be gone: the delivery is stored all the same.
            let _ = reply.send(outcome);
        }
        self.handoff.wait_for_room(left).await;
    }

    /// Has deliveries that failed before, and that the provider sent again, handled once more.
    async fn reopen_failed(&mut self, keys: &[DeliveryKey]) -> sqlx::Result<()> {
        let mut tx = self.conn().await?.begin().await?;
        let revived = waiting::revive_failed(&mut tx, keys).await?;
        let replays: Vec<FlowEvent> = revived
            .iter()
            .map(|(id, project)| FlowEvent {
                kind: EventKind::DeliveryReplayed,
                project_id: *project,
                run_id: None,
                actor: "service:ingress".to_owned(),
                message: "it failed, and the provider sent it again".to_owned(),
                data: Some(serde_json::json!({"delivery_id": id.to_string()})),
            })
            .collect();
        events::record(&mut tx, &replays).await?;
        tx.commit().await?;
        if !revived.is_empty() {
            self.handoff.repair_now(revived.iter().map(|(id, _)| *id));
        }
        Ok(())
    }
}

/// Returns a connection that works: the pool may hold some that were lost while they were idle.
async fn working_connection(pool: &PgPool) -> sqlx::Result<PoolConnection<Postgres>> {
    loop {
        let mut conn = pool.acquire().await?;
        match conn.ping().await {
            Ok(()) => return Ok(conn),
            // The pool opens another one instead.
            Err(_) => drop(conn.detach()),
        }
    }
}

fn reject(batch: Vec<WriteRequest>, error: &sqlx::Error) {
    // Class 22: a value that cannot be stored. Class 23: a constraint. Everything else may work another time.
    let not_storable = matches!(error, sqlx::Error::Database(db)
        if db.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23")));
    let rejection = if not_storable {
        Rejection::NotStorable
    } else {
        Rejection::Unavailable
    };
    tracing::error!(%error, rows = batch.len(), code = rejection.code(), "deliveries were not stored");
    for item in batch {
        let _ = item.reply.send(WebhookOutcome::Rejected(rejection));
    }
}
