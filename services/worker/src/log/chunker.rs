//! Cuts output into chunks: by size, by time, and at ends of lines where there are any. It reads no clock.
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

/// Bounds a chunk, and with it a row of the stored log and the answer to a reader.
const MAX_CHUNK_BYTES: usize = 64 * 1024;
/// Output of this size is shipped without waiting for more.
const FULL_CHUNK_BYTES: usize = 16 * 1024;
/// How long the first output after a silence waits for more. Short, since somebody may be watching.
const FIRST_CHUNK_DELAY: Duration = Duration::from_millis(5);
/// The shortest time between two chunks of steady output, so that many short lines share a chunk.
const CHUNK_INTERVAL: Duration = Duration::from_millis(50);

/// Collects output and cuts it into chunks.
#[derive(Default)]
pub(crate) struct Chunker {
    buffer: BytesMut,
    due: Option<Instant>,
    last_cut: Option<Instant>,
}

impl Chunker {
    /// Returns when the collected output has waited long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Returns how much output waits here.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Collects output, and returns the chunks that are full.
    pub(crate) fn push(&mut self, data: &[u8], now: Instant) -> Vec<Bytes> {
        self.buffer.extend_from_slice(data);
        let mut full = Vec::new();
        while self.buffer.len() >= FULL_CHUNK_BYTES {
            full.push(self.cut());
            self.last_cut = Some(now);
        }
        self.schedule(now);
        full
    }

    /// Returns the chunk that is due: whole lines, or everything if no line has ended.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Bytes> {
        self.due.filter(|due| *due <= now)?;
        let chunk = self.cut();
        self.last_cut = Some(now);
        self.due = None;
        self.schedule(now);
        Some(chunk)
    }

    /// Returns everything that is left.
    pub(crate) fn take_rest(&mut self) -> Vec<Bytes> {
        self.due = None;
        let mut rest = Vec::new();
        while !self.buffer.is_empty() {
            let size = self.buffer.len().min(MAX_CHUNK_BYTES);
            rest.push(self.buffer.split_to(size).freeze());
        }
        rest
    }

    fn cut(&mut self) -> Bytes {
        let size = self.buffer.len().min(MAX_CHUNK_BYTES);
        let line_end = self.buffer[..size].iter().rposition(|b| *b == b'\n');
        let size = line_end.map_or(size, |at| at + 1);
        self.buffer.split_to(size).freeze()
    }

    fn schedule(&mut self, now: Instant) {
        if self.buffer.is_empty() {
            self.due = None;
        } else if self.due.is_none() {
            let first = now + FIRST_CHUNK_DELAY;
            let due = self
                .last_cut
                .map_or(first, |last| first.max(last + CHUNK_INTERVAL));
            self.due = Some(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_line_is_shipped_soon_and_steady_output_at_intervals() {
        let mut chunker = Chunker::default();
        let start = Instant::now();
        assert!(chunker.push(b"one\n", start).is_empty());
        assert_eq!(chunker.due(), Some(start + FIRST_CHUNK_DELAY));
        assert_eq!(chunker.take_due(start), None);
        assert_eq!(
            chunker.take_due(start + FIRST_CHUNK_DELAY).as_deref(),
            Some(&b"one\n"[..])
        );
        let next = start + FIRST_CHUNK_DELAY + Duration::from_millis(1);
        chunker.push(b"two\nthr", next);
        let due = start + FIRST_CHUNK_DELAY + CHUNK_INTERVAL;
        assert_eq!(chunker.due(), Some(due));
        assert_eq!(chunker.take_due(due).as_deref(), Some(&b"two\n"[..]));
        assert_eq!(
            chunker.take_due(due + CHUNK_INTERVAL).as_deref(),
            Some(&b"thr"[..])
        );
        assert_eq!(chunker.due(), None);
    }

    #[test]
    fn long_output_is_cut_at_ends_of_lines_and_nothing_is_lost() {
        let mut chunker = Chunker::default();
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        let full = chunker.push(&line.repeat(1000), Instant::now());
        assert!(
            full.iter()
                .all(|c| c.ends_with(b"\n") && c.len() <= MAX_CHUNK_BYTES)
        );
        let rest = chunker.take_rest();
        let total: usize = full.iter().chain(&rest).map(Bytes::len).sum();
        assert_eq!(total, 100_000);
        let one_line = chunker.push(&b"y".repeat(100_000), Instant::now());
        assert!(one_line.iter().all(|c| c.len() <= MAX_CHUNK_BYTES));
    }
}
