//! Group commit: whatever waits when a writer is free goes in one statement. No timer: an idle delivery is written at once, and
//! under load the batches grow by themselves.
use std::{collections::HashSet, sync::Arc, time::Duration};

use ck8s_db::events::{self, NewEvent};
use ck8s_types::{DeliveryId, ProjectId};
use sqlx::{Connection, PgPool, Postgres, pool::PoolConnection};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::{
    domain::refusal::Refusal,
    handler::{Inlet, Pending},
    ingest::{Found, Outcome},
    metrics,
    store::inbox::{self, NewDelivery},
};

/// Writers: while one waits for its commit, the other fills its batch.
pub(crate) const WRITERS: usize = 2;
/// What may wait for the writers; more waits outside.
pub(crate) const QUEUE: usize = 1_024;
/// Rows of one statement.
const MOST: usize = 256;
/// Bytes of one statement: one of the largest bodies goes alone or with a few.
const LARGEST: usize = 16 * 1024 * 1024;
/// How long a connection may be out of reach before those who wait are told so.
const ACQUIRE: Duration = Duration::from_secs(5);

/// A delivery on its way into the database.
pub(crate) struct Item {
    pub(crate) delivery: NewDelivery,
    /// The run that it asks for.
    pub(crate) found: Option<Found>,
    /// Told after the commit.
    pub(crate) answer: oneshot::Sender<Outcome>,
}

/// One writer. Ends when nobody can send any more.
pub(crate) struct Writer {
    pool: PgPool,
    queue: Arc<Mutex<mpsc::Receiver<Item>>>,
    inlet: Inlet,
    conn: Option<PoolConnection<Postgres>>,
}

impl Writer {
    pub(crate) fn new(pool: PgPool, queue: Arc<Mutex<mpsc::Receiver<Item>>>, inlet: Inlet) -> Self {
        Self {
            pool,
            queue,
            inlet,
            conn: None,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut items = Vec::with_capacity(MOST);
        loop {
            let received = self.queue.lock().await.recv_many(&mut items, MOST).await;
            if received == 0 {
                return;
            }
            // Sorted by key: two writers with the same keys wait for each other and never deadlock.
            items.sort_by(|a, b| a.delivery.key.cmp(&b.delivery.key));
            while !items.is_empty() {
                let batch = first_of(&mut items);
                metrics::batch(batch.len());
                self.write(batch).await;
            }
        }
    }

    async fn write(&mut self, batch: Vec<Item>) {
        let ids: Vec<DeliveryId> = batch.iter().map(|_| DeliveryId::new()).collect();
        let rows: Vec<_> = ids
            .iter()
            .copied()
            .zip(batch.iter().map(|item| &item.delivery))
            .collect();
        match self.insert(&rows).await {
            Ok(stored) => self.answer(batch, &ids, |id| stored.contains(&id)).await,
            Err(error) if ck8s_db::is_unavailable(&error) => refuse(batch, &error),
            Err(error) if batch.len() == 1 && !ck8s_db::is_retryable(&error) => {
                refuse(batch, &error);
            }
            Err(error) => {
                tracing::warn!(%error, rows = batch.len(), "a batch failed; its rows are tried one by one");
                for item in batch {
                    self.write_alone(item).await;
                }
            }
        }
    }

    async fn write_alone(&mut self, item: Item) {
        let id = DeliveryId::new();
        match self.insert(&[(id, &item.delivery)]).await {
            Ok(stored) => {
                self.answer(vec![item], &[id], |id| stored.contains(&id))
                    .await;
            }
            Err(error) => refuse(vec![item], &error),
        }
    }

    async fn insert(
        &mut self,
        rows: &[(DeliveryId, &NewDelivery)],
    ) -> sqlx::Result<HashSet<DeliveryId>> {
        let kept = self.conn.is_some();
        match self.insert_once(rows).await {
            // It was lost while nobody looked. If the first try was stored after all, the second one finds it: a duplicate.
            Err(error) if kept && ck8s_db::is_unavailable(&error) => self.insert_once(rows).await,
            result => result,
        }
    }

    async fn insert_once(
        &mut self,
        rows: &[(DeliveryId, &NewDelivery)],
    ) -> sqlx::Result<HashSet<DeliveryId>> {
        let stored = inbox::insert(self.conn().await?, rows).await;
        if let Err(error) = &stored
            && (ck8s_db::is_unavailable(error) || !matches!(error, sqlx::Error::Database(_)))
        {
            self.conn = None;
        }
        stored
    }

    /// The writer's connection, kept from batch to batch.
    async fn conn(&mut self) -> sqlx::Result<&mut PoolConnection<Postgres>> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => tokio::time::timeout(ACQUIRE, live(&self.pool))
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)??,
        };
        Ok(self.conn.insert(conn))
    }

    /// Hands new deliveries on, then answers; looks again at those that came before.
    async fn answer(
        &mut self,
        batch: Vec<Item>,
        ids: &[DeliveryId],
        stored: impl Fn(DeliveryId) -> bool,
    ) {
        let mut pending = Vec::new();
        let mut answers = Vec::with_capacity(batch.len());
        let mut before = Vec::new();
        for (item, id) in batch.into_iter().zip(ids) {
            if stored(*id) {
                pending.extend(item.found.map(|found| Pending { id: *id, found }));
                answers.push((item.answer, Outcome::Accepted));
            } else {
                before.push(item.delivery.key);
                answers.push((item.answer, Outcome::Duplicate));
            }
        }
        let left = self.inlet.offer(pending);
        if !before.is_empty()
            && let Err(error) = self.revive(&before).await
        {
            tracing::warn!(%error, "deliveries that came again could not be looked at");
        }
        for (answer, outcome) in answers {
            // Who asked may be gone: the delivery is stored all the same.
            let _ = answer.send(outcome);
        }
        self.inlet.press(left).await;
    }

    /// What came again after it had failed is handled again.
    async fn revive(&mut self, keys: &[String]) -> sqlx::Result<()> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut tx = self.conn().await?.begin().await?;
        let revived = inbox::revive_failed(&mut tx, &keys).await?;
        let told: Vec<NewEvent> = revived
            .iter()
            .map(|(id, project)| NewEvent {
                kind: "delivery.replayed",
                project_id: project.map(ProjectId::from),
                run_id: None,
                actor: "service:ingress".to_owned(),
                message: "it failed, and the provider sent it again".to_owned(),
                data: Some(serde_json::json!({"delivery_id": id.to_string()})),
            })
            .collect();
        events::record(&mut tx, &told).await?;
        tx.commit().await?;
        if !revived.is_empty() {
            self.inlet
                .leave_to_repair(revived.iter().map(|(id, _)| *id));
        }
        Ok(())
    }
}

/// A connection that lives: the pool may hold some that were lost while they rested.
async fn live(pool: &PgPool) -> sqlx::Result<PoolConnection<Postgres>> {
    loop {
        let mut conn = pool.acquire().await?;
        match conn.ping().await {
            Ok(()) => return Ok(conn),
            // The pool makes another one instead.
            Err(_) => drop(conn.detach()),
        }
    }
}

/// As many from the front as one statement takes; at least one.
fn first_of(items: &mut Vec<Item>) -> Vec<Item> {
    let mut size = 0;
    let fit = items.iter().take_while(|item| {
        size += item.delivery.payload.len();
        size <= LARGEST
    });
    let count = fit.count().clamp(1, items.len());
    let rest = items.split_off(count);
    std::mem::replace(items, rest)
}

fn refuse(batch: Vec<Item>, error: &sqlx::Error) {
    // Class 22: a value that cannot be stored. Class 23: a constraint. All else may pass.
    let poisoned = matches!(error, sqlx::Error::Database(db)
        if db.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23")));
    let refusal = if poisoned {
        Refusal::NotStorable
    } else {
        Refusal::Unavailable
    };
    tracing::error!(%error, rows = batch.len(), code = refusal.code(), "deliveries were not stored");
    for item in batch {
        let _ = item.answer.send(Outcome::Refused(refusal));
    }
}
