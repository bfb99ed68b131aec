//! The chunks of one run that wait to be stored, and where the stored log ends.
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use ck8s_proto::runs::v1::{LogAppend, LogAppendResult, LogChunk, LogStream};
use ck8s_types::LeaseRef;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tonic::{Code, Status};

use crate::{
    convert::lease_to_pb,
    domain::{LeaseKey, LogPosition},
};

/// Bounds what one run may put into a batch, so that a chatty run does not hold up the others.
const MAX_BATCH_BYTES_PER_RUN: usize = 256 * 1024;
/// Bounds what may wait for one run. A full queue slows the workload down.
const MAX_QUEUED_BYTES: usize = 2 << 20;
/// How long the server may refuse a chunk, for other reasons than being out of reach, before it is left out.
const MAX_REFUSAL_TIME: Duration = Duration::from_secs(120);
/// How soon refused chunks are sent again.
const REFUSAL_INTERVAL: Duration = Duration::from_secs(1);

/// A chunk of a run's log.
pub(super) struct Chunk {
    pub(super) data: Bytes,
    pub(super) stream: LogStream,
    pub(super) time: SystemTime,
    /// The last place at the log's source that is known at the chunk's end or before.
    pub(super) position: Option<LogPosition>,
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
    /// Since when the server refuses the first chunk, and when to try again.
    refused_since: Option<Instant>,
    retry_at: Option<Instant>,
    /// How far the stored log is ahead of the pump's count of it, because something was left out or said here.
    shift: i64,
    /// Set when the lease is stale or the log has reached its size limit: later chunks are dropped.
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
        if state.closed || state.retry_at.is_some_and(|time| time > Instant::now()) {
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
                position: state.stored_position(chunk.position.as_ref()),
            });
            offset += chunk.data.len() as u64;
        }
        appends
    }

    /// Takes the server's results for the chunks that were sent. A result says where the whole log ends: it may be
    /// behind later chunks, which an earlier request stored whose answer was lost. Returns what is missing in the log
    /// from now on, in words.
    pub(super) fn accept(&self, results: &[LogAppendResult]) -> Option<String> {
        let mut state = self.state.lock();
        let mut gap = None;
        state.refused_since = None;
        for result in results {
            if result.stale || result.truncated {
                state.close();
                break;
            }
            let end = u64::try_from(result.end_offset).unwrap_or(0);
            gap = gap.or(state.stored_until(end));
        }
        drop(state);
        self.changed.notify_waiters();
        gap
    }

    /// Notes that the server refused the chunks. They are sent again after a while; a first chunk that is refused for
    /// too long is left out, and the log says so. Under a stale lease the rest of the log is given up. Returns what is
    /// missing in the log from now on, in words.
    pub(super) fn refuse(&self, status: &Status, now: Instant) -> Option<String> {
        let run_id = self.lease.run_id;
        let mut state = self.state.lock();
        if status.code() == Code::Aborted {
            tracing::info!(run.id = %run_id, "the rest of a log is another worker's");
            state.close();
            drop(state);
            self.changed.notify_waiters();
            return None;
        }
        let since = *state.refused_since.get_or_insert(now);
        tracing::warn!(run.id = %run_id, code = ?status.code(), "a part of a log was refused; it is sent again");
        state.retry_at = Some(now + REFUSAL_INTERVAL);
        if now.duration_since(since) < MAX_REFUSAL_TIME {
            return None;
        }
        state.refused_since = None;
        state.leave_out_first(status.code())
    }
}

impl QueueState {
    /// Returns a position as it is stored; empty: none is known.
    fn stored_position(&self, position: Option<&LogPosition>) -> String {
        let shifted = |position: &LogPosition| LogPosition {
            offset: position.offset.saturating_add_signed(self.shift),
            source: position.source.clone(),
        };
        position.map(|p| shifted(p).to_string()).unwrap_or_default()
    }

    /// Drops what is stored: the log ends at `end`. Returns what is missing, in words.
    fn stored_until(&mut self, end: u64) -> Option<String> {
        if end < self.stored {
            let lost = self.stored - end;
            self.stored = end;
            self.shift -= i64::try_from(lost).unwrap_or(0);
            return Some(self.put_gap_first(format!(
                "a part of the log is missing here: the server lost {lost} bytes that it had stored"
            )));
        }
        while self.stored < end
            && let Some(chunk) = self.chunks.front_mut()
        {
            let left = usize::try_from(end - self.stored).unwrap_or(usize::MAX);
            let stored = left.min(chunk.data.len());
            let _ = chunk.data.split_to(stored);
            let is_stored = chunk.data.is_empty();
            self.stored += stored as u64;
            self.bytes -= stored;
            if is_stored {
                self.chunks.pop_front();
            }
        }
        self.stored = end;
        None
    }

    /// Leaves out the first chunk, and says so in its place.
    fn leave_out_first(&mut self, code: Code) -> Option<String> {
        let size = self.chunks.pop_front()?.data.len();
        self.bytes -= size;
        self.shift -= i64::try_from(size).unwrap_or(0);
        Some(self.put_gap_first(format!(
            "a part of the log is missing here: the server refused {size} bytes ({code:?})"
        )))
    }

    fn put_gap_first(&mut self, text: String) -> String {
        let data = Bytes::from(format!("\n{text}\n"));
        self.bytes += data.len();
        self.shift += i64::try_from(data.len()).unwrap_or(0);
        self.chunks.push_front(Chunk {
            data,
            stream: LogStream::System,
            time: SystemTime::now(),
            position: None,
        });
        text
    }

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
            position: None,
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

    fn stored(queue: &RunQueue, ends: &[i64]) {
        let result = |end_offset: &i64| LogAppendResult {
            end_offset: *end_offset,
            ..LogAppendResult::default()
        };
        queue.accept(&ends.iter().map(result).collect::<Vec<_>>());
    }

    #[test]
    fn chunks_follow_each_other_and_stored_bytes_are_not_sent_again() {
        let queue = queue_with(&[10, 20, 30]);
        assert_eq!(offsets(&queue), [0, 10, 30]);
        stored(&queue, &[10, 15, 15]);
        assert_eq!(offsets(&queue), [15, 30], "a part of the second is stored");
        assert_eq!(queue.state.lock().bytes, 45);
        let truncated = LogAppendResult {
            end_offset: 15,
            truncated: true,
            ..LogAppendResult::default()
        };
        queue.accept(&[truncated]);
        assert!(offsets(&queue).is_empty());
    }

    #[test]
    fn a_lost_answer_neither_doubles_nor_loses_chunks() {
        let queue = queue_with(&[10, 20, 30]);
        // All three were stored, and the answer was lost. The same request says so for each of them.
        stored(&queue, &[60, 60, 60]);
        let state = queue.state.lock();
        assert!(state.chunks.is_empty());
        assert_eq!((state.stored, state.bytes), (60, 0));
        drop(state);
        // The request that follows a lost answer may hold fewer chunks than the lost one.
        let queue = queue_with(&[10, 20, 30]);
        stored(&queue, &[30]);
        assert_eq!(offsets(&queue), [30]);
    }

    #[test]
    fn what_the_server_lost_is_said_in_the_log() {
        let queue = queue_with(&[10, 20]);
        stored(&queue, &[10]);
        stored(&queue, &[4]);
        let chunks = next_chunks(&queue);
        let note = String::from_utf8_lossy(&chunks[0].data);
        assert!(note.contains("lost 6 bytes"), "{note}");
        assert_eq!(chunks[0].offset, 4);
        assert_eq!(chunks[1].data.len(), 20);
    }

    #[test]
    fn refusals_close_no_log_and_what_is_left_out_is_said() {
        let queue = queue_with(&[10, 20]);
        let refusal = Status::internal("broken");
        let start = Instant::now();
        for _ in 0..100 {
            queue.refuse(&refusal, start);
        }
        assert!(offsets(&queue).is_empty(), "it is tried again later");
        queue.state.lock().retry_at = None;
        assert_eq!(offsets(&queue), [0, 10]);
        queue.refuse(&refusal, start + MAX_REFUSAL_TIME);
        queue.state.lock().retry_at = None;
        let chunks = next_chunks(&queue);
        let note = String::from_utf8_lossy(&chunks[0].data);
        assert!(note.contains("refused 10 bytes"), "{note}");
        assert_eq!(chunks[1].data.len(), 20);
        queue.refuse(&Status::aborted("stale"), start);
        assert!(queue.state.lock().closed);
    }

    #[test]
    fn one_run_does_not_fill_a_batch() {
        let queue = queue_with(&[64 * 1024; 10]);
        let bytes: usize = next_chunks(&queue).iter().map(|c| c.data.len()).sum();
        assert_eq!(bytes, MAX_BATCH_BYTES_PER_RUN);
    }
}
