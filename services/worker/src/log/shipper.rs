//! Ships the chunks of all runs to the server. One batch is in flight at a time, so that batches grow under load by
//! themselves.
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use ck8s_proto::runs::v1::{AppendLogRequest, LogAppend, Note, NoteKind, transition::Change};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Status};

use super::queue::RunQueue;
use crate::{
    connection::{Connection, request},
    domain::{Backoff, LeaseKey},
    lease::LeaseTable,
};

/// Bounds the data of a batch: the contract allows 1 MiB.
const MAX_BATCH_BYTES: usize = 1 << 20;
/// How often to look for chunks whose lease has become live without a wake-up.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The first wait while the server is out of reach, and the longest.
const SEND_BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Ships logs. Clones are the same shipper.
#[derive(Clone)]
pub(crate) struct Shipper(Arc<ShipperState>);

struct ShipperState {
    queues: Mutex<HashMap<LeaseKey, Arc<RunQueue>>>,
    wake: Arc<Notify>,
    leases: Arc<LeaseTable>,
    connection: Arc<Connection>,
}

/// A part of a batch: the next chunks of one run.
struct RunBatch {
    queue: Arc<RunQueue>,
    appends: Vec<LogAppend>,
}

impl RunBatch {
    fn bytes(&self) -> usize {
        let size = |append: &LogAppend| append.chunk.as_ref().map_or(0, |c| c.data.len());
        self.appends.iter().map(size).sum()
    }
}

impl Shipper {
    /// Starts a shipper. It stops when the handle is dropped.
    pub(crate) fn spawn(
        leases: Arc<LeaseTable>,
        connection: Arc<Connection>,
    ) -> (Self, AbortOnDropHandle<()>) {
        let shipper = Self(Arc::new(ShipperState {
            queues: Mutex::default(),
            wake: Arc::new(Notify::new()),
            leases,
            connection,
        }));
        let task = tokio::spawn(shipper.clone().run());
        (shipper, AbortOnDropHandle::new(task))
    }

    /// Returns a new queue for one run, whose stored log ends at `stored`.
    pub(super) fn register(&self, lease: LeaseKey, attempt: i32, stored: u64) -> Arc<RunQueue> {
        let queue = RunQueue::new(lease, attempt, stored, Arc::clone(&self.0.wake));
        let queue = Arc::new(queue);
        self.0.queues.lock().insert(lease, Arc::clone(&queue));
        queue
    }

    async fn run(self) {
        let mut backoff = Backoff::new(SEND_BACKOFF.0, SEND_BACKOFF.1);
        loop {
            let _ = tokio::time::timeout(POLL_INTERVAL, self.0.wake.notified()).await;
            self.drop_finished_queues();
            loop {
                let batch = self.next_batch();
                if batch.is_empty() {
                    break;
                }
                match self.send(&batch).await {
                    Ok(()) => backoff.reset(),
                    Err(status) if is_transient(&status) => {
                        tracing::debug!(code = ?status.code(), "logs wait: the server is out of reach");
                        tokio::time::sleep(backoff.next()).await;
                    }
                    Err(_) if batch.len() > 1 => self.send_one_by_one(&batch).await,
                    Err(status) => self.refuse(&batch[0].queue, &status),
                }
            }
        }
    }

    /// Drops the queues that no pump feeds any more; their chunks are stored or given up.
    fn drop_finished_queues(&self) {
        let mut queues = self.0.queues.lock();
        queues.retain(|_, queue| Arc::strong_count(queue) > 1);
    }

    /// Returns the next chunks of all runs whose lease is live, as much as a batch holds.
    fn next_batch(&self) -> Vec<RunBatch> {
        let queues: Vec<_> = self.0.queues.lock().values().cloned().collect();
        let mut room = MAX_BATCH_BYTES;
        let mut batch = Vec::new();
        for queue in queues {
            let Some(lease) = self.0.leases.live_lease(queue.lease) else {
                continue;
            };
            let appends = queue.next_appends(lease, room);
            let part = RunBatch { queue, appends };
            room -= part.bytes();
            if !part.appends.is_empty() {
                batch.push(part);
            }
        }
        batch
    }

    async fn send(&self, batch: &[RunBatch]) -> Result<(), Status> {
        let appends = batch.iter().flat_map(|part| part.appends.clone()).collect();
        let message = request(AppendLogRequest { appends });
        let response = self.0.connection.client().append_log(message).await?;
        let mut results = response.into_inner().results.into_iter();
        for part in batch {
            let part_results: Vec<_> = results.by_ref().take(part.appends.len()).collect();
            if let Some(gap) = part.queue.accept(&part_results) {
                self.report_gap(&part.queue, gap);
            }
        }
        let bytes: usize = batch.iter().map(RunBatch::bytes).sum();
        metrics::counter!("ck8s_worker_log_bytes_total").increment(bytes as u64);
        Ok(())
    }

    fn refuse(&self, queue: &RunQueue, status: &Status) {
        if let Some(gap) = queue.refuse(status, Instant::now()) {
            self.report_gap(queue, gap);
        }
    }

    fn report_gap(&self, queue: &RunQueue, message: String) {
        let note = Change::Note(Note {
            kind: NoteKind::LogIncomplete.into(),
            message,
        });
        self.0.leases.report(queue.lease, note);
    }

    /// Sends the parts of a refused batch one by one, so that one run's fault does not hold up the others.
    async fn send_one_by_one(&self, batch: &[RunBatch]) {
        for part in batch.chunks(1) {
            if let Err(status) = self.send(part).await
                && !is_transient(&status)
            {
                self.refuse(&part[0].queue, &status);
            }
        }
    }
}

/// Whether the same request may succeed later.
fn is_transient(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::ResourceExhausted
    )
}
