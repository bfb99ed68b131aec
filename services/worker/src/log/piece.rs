//! Cuts output into pieces: by size, by time, at ends of lines where there are any. Pure but for the instants given.
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::LogSettings;

/// No piece is larger: it bounds a row and an answer.
const LARGEST: usize = 64 * 1024;

/// Gathers bytes into pieces.
pub(crate) struct Pieces {
    settings: LogSettings,
    open: BytesMut,
    due: Option<Instant>,
    last: Option<Instant>,
}

impl Pieces {
    pub(crate) fn new(settings: LogSettings) -> Self {
        Self {
            settings,
            open: BytesMut::new(),
            due: None,
            last: None,
        }
    }

    /// When what is gathered has waited long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Gathers, and gives what is large enough already.
    pub(crate) fn push(&mut self, data: &[u8], now: Instant) -> Vec<Bytes> {
        self.open.extend_from_slice(data);
        let mut full = Vec::new();
        while self.open.len() >= self.settings.piece_bytes {
            full.push(self.cut());
            self.last = Some(now);
        }
        self.wait(now);
        full
    }

    /// What is due: whole lines, or all of it if there is no end of a line.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Bytes> {
        self.due.filter(|due| *due <= now)?;
        let piece = self.cut();
        self.last = Some(now);
        self.due = None;
        self.wait(now);
        Some(piece)
    }

    /// All that is left.
    pub(crate) fn take_rest(&mut self) -> Vec<Bytes> {
        self.due = None;
        let mut rest = Vec::new();
        while !self.open.is_empty() {
            let size = self.open.len().min(LARGEST);
            rest.push(self.open.split_to(size).freeze());
        }
        rest
    }

    fn cut(&mut self) -> Bytes {
        let size = self.open.len().min(LARGEST);
        let line = self.open[..size].iter().rposition(|b| *b == b'\n');
        self.open.split_to(line.map_or(size, |at| at + 1)).freeze()
    }

    fn wait(&mut self, now: Instant) {
        if self.open.is_empty() {
            self.due = None;
        } else if self.due.is_none() {
            let soon = now + self.settings.first;
            self.due = Some(
                self.last
                    .map_or(soon, |last| soon.max(last + self.settings.window)),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_lone_line_goes_soon_and_a_stream_goes_in_windows() {
        let settings = LogSettings::default();
        let mut pieces = Pieces::new(settings);
        let start = Instant::now();
        assert!(pieces.push(b"one\n", start).is_empty());
        assert_eq!(pieces.due(), Some(start + settings.first));
        assert_eq!(pieces.take_due(start), None);
        assert_eq!(
            pieces.take_due(start + settings.first).as_deref(),
            Some(&b"one\n"[..])
        );
        let next = start + settings.first + Duration::from_millis(1);
        pieces.push(b"two\nthr", next);
        let due = start + settings.first + settings.window;
        assert_eq!(pieces.due(), Some(due));
        assert_eq!(pieces.take_due(due).as_deref(), Some(&b"two\n"[..]));
        assert_eq!(
            pieces.take_due(due + settings.window).as_deref(),
            Some(&b"thr"[..])
        );
        assert_eq!(pieces.due(), None);
    }

    #[test]
    fn much_output_is_cut_at_ends_of_lines_and_nothing_is_lost() {
        let mut pieces = Pieces::new(LogSettings::default());
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        let full = pieces.push(&line.repeat(1000), Instant::now());
        assert!(
            full.iter()
                .all(|p| p.ends_with(b"\n") && p.len() <= LARGEST)
        );
        let rest = pieces.take_rest();
        let total: usize = full.iter().chain(&rest).map(Bytes::len).sum();
        assert_eq!(total, 100_000);
        let endless = pieces.push(&b"y".repeat(100_000), Instant::now());
        assert!(endless.iter().all(|p| p.len() <= LARGEST));
    }
}
