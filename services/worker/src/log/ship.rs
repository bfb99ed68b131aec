//! Ships the pieces of all runs: one batch in flight, so that batches grow under load by themselves.
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use ck8s_proto::runs::v1::{AppendLogRequest, LogAppend, LogAppendResult, LogChunk, LogStream};
use tokio::sync::Notify;
use tonic::{Code, Status};

use crate::{
    backoff::Backoff,
    connection::{Connection, call},
    lease::{LeaseKey, LeaseTable},
};

/// The contract's bound is 1 MiB of data.
const BATCH_BYTES: usize = 1 << 20;
/// What one run may have of a batch, so that a chatty one does not hold up the others.
const RUN_BYTES: usize = 256 * 1024;
/// What may wait for one run; beyond it, its workload waits.
const QUEUE_BYTES: usize = 2 << 20;
/// How often the server may refuse a run's pieces, for other reasons than being out of reach, before they are given up.
const REFUSALS: u32 = 5;
/// How soon to look again at pieces whose lease was not live.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A piece of a run's log.
pub(crate) struct Piece {
    pub(crate) data: Bytes,
    pub(crate) stream: LogStream,
    pub(crate) time: SystemTime,
}

/// Ships logs; clones are the same shipper.
#[derive(Clone)]
pub(crate) struct Shipper(Arc<Shared>);

struct Shared {
    runs: Mutex<HashMap<LeaseKey, Arc<ShippedRun>>>,
    wake: Arc<Notify>,
    leases: Arc<LeaseTable>,
    connection: Arc<Connection>,
}

/// What waits for one run.
pub(crate) struct ShippedRun {
    lease: LeaseKey,
    attempt: i32,
    queue: Mutex<Queue>,
    changed: Notify,
    wake: Arc<Notify>,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// Where the stored log ends.
    stored: u64,
    refusals: u32,
    /// Stale, at its cap, or given up: what comes is dropped.
    closed: bool,
}

impl ShippedRun {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait_until(&self, mut done: impl FnMut(&mut Queue) -> bool) {
        loop {
            let changed = self.changed.notified();
            if done(&mut self.queue()) {
                return;
            }
            changed.await;
        }
    }

    /// Queues a piece, as soon as there is room.
    pub(crate) async fn push(&self, piece: Piece) {
        if piece.data.is_empty() {
            return;
        }
        let mut piece = Some(piece);
        self.wait_until(|queue| {
            if queue.closed {
                return true;
            }
            if queue.bytes >= QUEUE_BYTES {
                return false;
            }
            if let Some(piece) = piece.take() {
                queue.bytes += piece.data.len();
                queue.pieces.push_back(piece);
            }
            true
        })
        .await;
        self.wake.notify_one();
    }

    /// Returns when nothing waits any more.
    pub(crate) async fn drained(&self) {
        self.wait_until(|queue| queue.closed || queue.pieces.is_empty())
            .await;
    }

    fn batch(&self, epoch: i64, room: usize) -> Vec<LogAppend> {
        let queue = self.queue();
        let (mut offset, mut bytes, mut appends) = (queue.stored, 0, Vec::new());
        if queue.closed {
            return appends;
        }
        for piece in &queue.pieces {
            bytes += piece.data.len();
            if bytes > room.min(RUN_BYTES) {
                break;
            }
            appends.push(LogAppend {
                lease: Some(self.lease.at(epoch)),
                chunk: Some(LogChunk {
                    offset: i64::try_from(offset).unwrap_or(i64::MAX),
                    data: piece.data.clone(),
                    time: Some(piece.time.into()),
                    stream: piece.stream.into(),
                    attempt: self.attempt,
                }),
            });
            offset += piece.data.len() as u64;
        }
        appends
    }

    /// Takes note of what became of the first piece: whether the next result is to be looked at.
    fn settle(&self, result: &LogAppendResult) -> bool {
        let mut queue = self.queue();
        queue.refusals = 0;
        let end = u64::try_from(result.end_offset).unwrap_or(0);
        if result.stale || result.truncated {
            queue.close();
            return false;
        }
        let taken = end.saturating_sub(queue.stored);
        queue.stored = end;
        let Some(piece) = queue.pieces.front_mut() else {
            return false;
        };
        let size = piece.data.len();
        let taken = usize::try_from(taken).unwrap_or(usize::MAX).min(size);
        let _ = piece.data.split_to(taken);
        let whole = taken == size;
        if whole {
            queue.pieces.pop_front();
        }
        queue.bytes -= taken;
        whole
    }
}

impl Queue {
    fn close(&mut self) {
        self.closed = true;
        self.pieces.clear();
        self.bytes = 0;
    }
}

impl Drop for ShipperGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Stops the shipper when dropped.
pub(crate) struct ShipperGuard(tokio::task::JoinHandle<()>);

impl Shipper {
    pub(crate) fn spawn(
        leases: Arc<LeaseTable>,
        connection: Arc<Connection>,
    ) -> (Self, ShipperGuard) {
        let shipper = Self(Arc::new(Shared {
            runs: Mutex::default(),
            wake: Arc::new(Notify::new()),
            leases,
            connection,
        }));
        let task = tokio::spawn(shipper.clone().run());
        (shipper, ShipperGuard(task))
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<LeaseKey, Arc<ShippedRun>>> {
        self.0.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn register(&self, lease: LeaseKey, attempt: i32, stored: u64) -> Arc<ShippedRun> {
        let run = Arc::new(ShippedRun {
            lease,
            attempt,
            queue: Mutex::new(Queue {
                stored,
                ..Queue::default()
            }),
            changed: Notify::new(),
            wake: Arc::clone(&self.0.wake),
        });
        self.runs().insert(lease, Arc::clone(&run));
        run
    }

    async fn run(self) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        loop {
            let _ = tokio::time::timeout(LOOK_AGAIN, self.0.wake.notified()).await;
            self.tidy();
            loop {
                let batch = self.batch();
                if batch.is_empty() {
                    break;
                }
                match self.send(&batch).await {
                    Ok(()) => backoff.reset(),
                    Err(status) if passing(&status) => {
                        tracing::debug!(code = ?status.code(), "logs wait: the server is out of reach");
                        tokio::time::sleep(backoff.next()).await;
                    }
                    Err(_) if batch.len() > 1 => self.send_apart(&batch).await,
                    Err(status) => refuse(&batch[0].0, &status),
                }
            }
        }
    }

    /// Runs that nobody feeds any more and for which nothing waits.
    fn tidy(&self) {
        self.runs().retain(|_, run| Arc::strong_count(run) > 1);
    }

    fn batch(&self) -> Vec<(Arc<ShippedRun>, Vec<LogAppend>)> {
        let runs: Vec<_> = self.runs().values().cloned().collect();
        let mut room = BATCH_BYTES;
        let mut batch = Vec::new();
        for run in runs {
            let Some(epoch) = self.0.leases.live_epoch(run.lease) else {
                continue;
            };
            let appends = run.batch(epoch.0, room);
            let bytes: usize = appends.iter().map(size).sum();
            room -= bytes;
            if bytes > 0 {
                batch.push((run, appends));
            }
        }
        batch
    }

    async fn send(&self, batch: &[(Arc<ShippedRun>, Vec<LogAppend>)]) -> Result<(), Status> {
        let appends = batch
            .iter()
            .flat_map(|(_, appends)| appends.clone())
            .collect();
        let answer = self
            .0
            .connection
            .client()
            .append_log(call(AppendLogRequest { appends }))
            .await?;
        let mut results = answer.into_inner().results.into_iter();
        for (run, appends) in batch {
            let mine: Vec<_> = results.by_ref().take(appends.len()).collect();
            // After a piece that was not taken whole, the next ones are sent again.
            let _ = mine.iter().all(|result| run.settle(result));
            run.changed.notify_waiters();
        }
        let bytes: usize = batch
            .iter()
            .flat_map(|(_, appends)| appends)
            .map(size)
            .sum();
        metrics::counter!("ck8s_worker_log_bytes_total").increment(bytes as u64);
        Ok(())
    }

    /// One run's fault is not to hold up the others.
    async fn send_apart(&self, batch: &[(Arc<ShippedRun>, Vec<LogAppend>)]) {
        for part in batch.chunks(1) {
            if let Err(status) = self.send(part).await
                && !passing(&status)
            {
                refuse(&part[0].0, &status);
            }
        }
    }
}

fn size(append: &LogAppend) -> usize {
    append.chunk.as_ref().map_or(0, |c| c.data.len())
}

fn refuse(run: &ShippedRun, status: &Status) {
    let mut queue = run.queue();
    queue.refusals += 1;
    if queue.refusals >= REFUSALS || status.code() == Code::Aborted {
        tracing::warn!(run.id = %run.lease.run, code = ?status.code(), "the rest of a log is given up");
        queue.close();
        drop(queue);
        run.changed.notify_waiters();
    }
}

/// Whether the same request may succeed later.
fn passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::ResourceExhausted
    )
}

#[cfg(test)]
mod tests {
    use ck8s_types::RunId;

    use super::*;

    fn run_with(sizes: &[usize]) -> ShippedRun {
        let pieces: VecDeque<_> = sizes
            .iter()
            .map(|size| Piece {
                data: Bytes::from(vec![b'x'; *size]),
                stream: LogStream::Output,
                time: SystemTime::now(),
            })
            .collect();
        let bytes = sizes.iter().sum();
        ShippedRun {
            lease: LeaseKey {
                run: RunId::new(),
                serial: 1,
            },
            attempt: 1,
            queue: Mutex::new(Queue {
                pieces,
                bytes,
                ..Queue::default()
            }),
            changed: Notify::new(),
            wake: Arc::default(),
        }
    }

    #[test]
    fn pieces_follow_each_other_and_what_was_stored_is_not_sent_again() {
        let run = run_with(&[10, 20, 30]);
        let offsets = |run: &ShippedRun| -> Vec<i64> {
            run.batch(1, BATCH_BYTES)
                .iter()
                .filter_map(|a| a.chunk.as_ref())
                .map(|c| c.offset)
                .collect()
        };
        assert_eq!(offsets(&run), [0, 10, 30]);
        let stored = |end_offset| LogAppendResult {
            end_offset,
            ..LogAppendResult::default()
        };
        assert!(run.settle(&stored(10)));
        assert!(!run.settle(&stored(15)), "half of it is stored");
        assert_eq!(offsets(&run), [15, 30]);
        assert_eq!(run.queue().bytes, 45);
        let cap = LogAppendResult {
            end_offset: 15,
            truncated: true,
            ..LogAppendResult::default()
        };
        assert!(!run.settle(&cap));
        assert!(offsets(&run).is_empty());
    }

    #[test]
    fn one_run_does_not_fill_a_batch() {
        let run = run_with(&[64 * 1024; 10]);
        let bytes: usize = run.batch(1, BATCH_BYTES).iter().map(size).sum();
        assert_eq!(bytes, RUN_BYTES);
    }
}
