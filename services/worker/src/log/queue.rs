//! The chunks of one run that wait to be stored, and where the stored log ends.
use std::{collections::VecDeque, sync::Arc, time::SystemTime};

use bytes::Bytes;
use ck8s_proto::runs::v1::{LogAppend, LogAppendResult, LogChunk, LogStream};
use ck8s_types::LeaseRef;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tonic::{Code, Status};

use crate::{convert::lease_to_pb, domain::LeaseKey};

/// Bounds what one run may put into a batch, so that a chatty run does not hold up the others.
const MAX_BATCH_BYTES_PER_RUN: usize = 256 * 1024;
/// Bounds what may wait for one run. A full queue slows the workload down.
const MAX_QUEUED_BYTES: usize = 2 << 20;
/// How often the server may refuse a run's chunks, for other reasons than being out of reach, before the rest of the
/// log is given up.
const MAX_REFUSALS: u32 = 5;

/// A chunk of a run's log.
pub(super) struct Chunk {
    pub(super) data: Bytes,
    pub(super) stream: LogStream,
    pub(super) time: SystemTime,
}

/// What the server's result says about the chunk that was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ChunkOutcome {
    /// It is stored; the next result counts too.
    Stored,
    /// It is not stored to its end: the chunks behind it must be sent again.
    Incomplete,
}

/// The queue of one run.
pub(super) struct RunQueue {
    pub(super) lease: LeaseKey,
    attempt: i32,
    state: Mutex<QueueState>,
    changed: Notify,
    /// Notifies the shipper.
    wake: Arc<Notify>,
}

#[derive(Default)]
struct QueueState {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// Where the stored log ends.
    stored: u64,
    refusals: u32,
    /// Set when the lease is stale, the log has reached its size limit, or it was given up: later chunks are dropped.
    closed: bool,
}

impl RunQueue {
    pub(super) fn new(lease: LeaseKey, attempt: i32, stored: u64, wake: Arc<Notify>) -> Self {
        Self {
            lease,
            attempt,
            state: Mutex::new(QueueState {
                stored,
                ..QueueState::default()
            }),
            changed: Notify::new(),
            wake,
        }
    }

    async fn wait_until(&self, mut done: impl FnMut(&mut QueueState) -> bool) {
        loop {
            let changed = self.changed.notified();
            if done(&mut self.state.lock()) {
                return;
            }
            changed.await;
        }
    }

    /// Queues a chunk, as soon as there is room.
    pub(super) async fn push(&self, chunk: Chunk) {
        if chunk.data.is_empty() {
            return;
        }
        let mut chunk = Some(chunk);
        self.wait_until(|state| {
            if state.closed {
                return true;
            }
            if state.bytes >= MAX_QUEUED_BYTES {
                return false;
            }
            if let Some(chunk) = chunk.take() {
                state.bytes += chunk.data.len();
                state.chunks.push_back(chunk);
            }
            true
        })
        .await;
        self.wake.notify_one();
    }

    /// Returns when no chunk waits.
    pub(super) async fn drained(&self) {
        self.wait_until(|state| state.closed || state.chunks.is_empty())
            .await;
    }

    /// Returns the next chunks as the server takes them, within `room` bytes.
    pub(super) fn next_appends(&self, lease: LeaseRef, room: usize) -> Vec<LogAppend> {
        let state = self.state.lock();
        let (mut offset, mut bytes, mut appends) = (state.stored, 0, Vec::new());
        if state.closed {
            return appends;
        }
        for chunk in &state.chunks {
            bytes += chunk.data.len();
            if bytes > room.min(MAX_BATCH_BYTES_PER_RUN) {
                break;
            }
            appends.push(LogAppend {
                lease: Some(lease_to_pb(lease)),
                chunk: Some(LogChunk {
                    offset: i64::try_from(offset).unwrap_or(i64::MAX),
                    data: chunk.data.clone(),
                    time: Some(chunk.time.into()),
                    stream: chunk.stream.into(),
                    attempt: self.attempt,
                }),
            });
            offset += chunk.data.len() as u64;
        }
        appends
    }

    /// Takes the server's results for the chunks that were sent. Results behind an incomplete chunk do not count.
    pub(super) fn accept(&self, results: &[LogAppendResult]) {
        for result in results {
            if self.accept_first(result) == ChunkOutcome::Incomplete {
                break;
            }
        }
        self.changed.notify_waiters();
    }

    /// Takes the server's result for the first chunk.
    fn accept_first(&self, result: &LogAppendResult) -> ChunkOutcome {
        let mut state = self.state.lock();
        state.refusals = 0;
        let end = u64::try_from(result.end_offset).unwrap_or(0);
        if result.stale || result.truncated {
            state.close();
            return ChunkOutcome::Incomplete;
        }
        let stored = end.saturating_sub(state.stored);
        state.stored = end;
        let Some(chunk) = state.chunks.front_mut() else {
            return ChunkOutcome::Incomplete;
        };
        let size = chunk.data.len();
        let stored = usize::try_from(stored).unwrap_or(usize::MAX).min(size);
        let _ = chunk.data.split_to(stored);
        state.bytes -= stored;
        if stored < size {
            return ChunkOutcome::Incomplete;
        }
        state.chunks.pop_front();
        ChunkOutcome::Stored
    }

    /// Counts a refusal by the server. After too many, or under a stale lease, the rest of the log is given up.
    pub(super) fn refuse(&self, status: &Status) {
        let mut state = self.state.lock();
        state.refusals += 1;
        if state.refusals >= MAX_REFUSALS || status.code() == Code::Aborted {
            tracing::warn!(run.id = %self.lease.run_id, code = ?status.code(), "the rest of a log is given up");
            state.close();
            drop(state);
            self.changed.notify_waiters();
        }
    }
}

impl QueueState {
    fn close(&mut self) {
        self.closed = true;
        self.chunks.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use ck8s_types::{Epoch, RunId};

    use super::*;

    const ROOM: usize = 1 << 20;

    fn queue_with(sizes: &[usize]) -> RunQueue {
        let key = LeaseKey {
            run_id: RunId::new(),
            serial: 1,
        };
        let queue = RunQueue::new(key, 1, 0, Arc::default());
        let chunk = |size: &usize| Chunk {
            data: Bytes::from(vec![b'x'; *size]),
            stream: LogStream::Output,
            time: SystemTime::now(),
        };
        let mut state = queue.state.lock();
        state.chunks = sizes.iter().map(chunk).collect();
        state.bytes = sizes.iter().sum();
        drop(state);
        queue
    }

    fn next_chunks(queue: &RunQueue) -> Vec<LogChunk> {
        let lease = LeaseRef {
            run_id: queue.lease.run_id,
            epoch: Epoch(1),
        };
        let appends = queue.next_appends(lease, ROOM);
        appends.into_iter().filter_map(|a| a.chunk).collect()
    }

    fn offsets(queue: &RunQueue) -> Vec<i64> {
        next_chunks(queue).iter().map(|c| c.offset).collect()
    }

    #[test]
    fn chunks_follow_each_other_and_stored_bytes_are_not_sent_again() {
        let queue = queue_with(&[10, 20, 30]);
        assert_eq!(offsets(&queue), [0, 10, 30]);
        let stored = |end_offset| LogAppendResult {
            end_offset,
            ..LogAppendResult::default()
        };
        assert_eq!(queue.accept_first(&stored(10)), ChunkOutcome::Stored);
        assert_eq!(
            queue.accept_first(&stored(15)),
            ChunkOutcome::Incomplete,
            "only a part of the chunk is stored"
        );
        assert_eq!(offsets(&queue), [15, 30]);
        assert_eq!(queue.state.lock().bytes, 45);
        let truncated = LogAppendResult {
            end_offset: 15,
            truncated: true,
            ..LogAppendResult::default()
        };
        assert_eq!(queue.accept_first(&truncated), ChunkOutcome::Incomplete);
        assert!(offsets(&queue).is_empty());
    }

    #[test]
    fn one_run_does_not_fill_a_batch() {
        let queue = queue_with(&[64 * 1024; 10]);
        let bytes: usize = next_chunks(&queue).iter().map(|c| c.data.len()).sum();
        assert_eq!(bytes, MAX_BATCH_BYTES_PER_RUN);
    }
}
