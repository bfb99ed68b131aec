//! The pump of one run: takes log items from the executor, masks and cuts them, and queues the chunks for the shipper.
use std::{
    collections::VecDeque,
    future,
    sync::Arc,
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use ck8s_proto::runs::v1::LogStream;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Mask, Shipper,
    chunker::Chunker,
    mask::Masker,
    queue::{Chunk, RunQueue},
};
use crate::domain::{LeaseKey, LogItem, LogPosition};

/// What a pump starts from.
pub(crate) struct PumpOptions {
    pub(crate) lease: LeaseKey,
    pub(crate) attempt: i32,
    pub(crate) mask: Mask,
    /// Where the stored log of this attempt ends, in bytes.
    pub(crate) stored: u64,
}

/// The pump of one run. When it is dropped it stops, and what it holds is lost.
pub(crate) struct Pump(AbortOnDropHandle<()>);

impl Pump {
    /// Starts to pump `items`.
    pub(crate) fn spawn(
        shipper: &Shipper,
        options: &PumpOptions,
        items: mpsc::Receiver<LogItem>,
    ) -> Self {
        let queue = shipper.register(options.lease, options.attempt, options.stored);
        let pump = PumpState {
            queue,
            masker: options.mask.stream(),
            chunker: Chunker::default(),
            position: options.stored,
            skip: 0,
            at_line_start: true,
            source: None,
            marks: Marks::default(),
        };
        let handle: JoinHandle<()> = tokio::spawn(pump.run(items));
        Self(AbortOnDropHandle::new(handle))
    }

    /// Returns when every sink is dropped and the whole log is stored, or given up.
    pub(crate) async fn finish(self) {
        if let Err(error) = self.0.await {
            tracing::error!(%error, "a log pump broke");
        }
    }
}

struct PumpState {
    queue: Arc<RunQueue>,
    masker: Masker,
    chunker: Chunker,
    /// Where the next byte goes in the stored log, behind the chunks that wait.
    position: u64,
    /// How much of the output that follows is stored already.
    skip: u64,
    /// Whether what the next byte follows ends a line.
    at_line_start: bool,
    /// The place at the source behind everything that was read.
    source: Option<String>,
    marks: Marks,
}

impl PumpState {
    async fn run(mut self, mut items: mpsc::Receiver<LogItem>) {
        loop {
            let due = self.chunker.due();
            tokio::select! {
                item = items.recv() => match item {
                    Some(item) => self.handle(item).await,
                    None => break,
                },
                () = sleep_until(due) => {
                    if let Some(data) = self.chunker.take_due(Instant::now()) {
                        self.queue(data, LogStream::Output).await;
                    }
                }
            }
        }
        self.flush_masker().await;
        self.flush().await;
        self.queue.drained().await;
    }

    async fn handle(&mut self, item: LogItem) {
        match item {
            LogItem::Output(data) => {
                let masked = self.masker.push(&data);
                self.output(&masked).await;
            }
            LogItem::Part { data, end } => {
                let masked = self.masker.push(&data);
                self.output(&masked).await;
                self.source = Some(end);
                // What the masker holds back would be lost to whoever reads on from here.
                if self.masker.is_settled() {
                    let waiting = self.chunker.waiting_bytes() as u64;
                    let offset = (self.position + waiting).saturating_sub(self.skip);
                    self.mark(offset);
                }
            }
            LogItem::Note(text) => self.note(&text).await,
            LogItem::Gap(text) => {
                self.skip = 0;
                self.note(&text).await;
            }
            LogItem::Position(reply) => {
                self.flush().await;
                // The executor may no longer wait for the reply.
                let _ = reply.send(self.position);
            }
            LogItem::Skip(bytes) => self.skip = bytes,
        }
    }

    /// Writes a line of our own. It begins on a line of its own.
    async fn note(&mut self, text: &str) {
        self.flush_masker().await;
        self.flush().await;
        let mut line = Vec::new();
        if !self.at_line_start {
            line.push(b'\n');
        }
        line.extend(self.masker.push(text.as_bytes()));
        line.extend(self.masker.finish());
        line.push(b'\n');
        self.at_line_start = true;
        self.mark(self.position + line.len() as u64);
        self.queue(Bytes::from(line), LogStream::System).await;
    }

    async fn output(&mut self, masked: &[u8]) {
        let skip = usize::try_from(self.skip)
            .unwrap_or(usize::MAX)
            .min(masked.len());
        self.skip -= skip as u64;
        if let Some(last) = masked.last() {
            self.at_line_start = *last == b'\n';
        }
        for data in self.chunker.push(&masked[skip..], Instant::now()) {
            self.queue(data, LogStream::Output).await;
        }
    }

    async fn flush_masker(&mut self) {
        let rest = self.masker.finish();
        self.output(&rest).await;
    }

    async fn flush(&mut self) {
        for data in self.chunker.take_rest() {
            self.queue(data, LogStream::Output).await;
        }
    }

    /// Notes that this offset of the stored log is the place at the source behind everything that was read.
    fn mark(&mut self, offset: u64) {
        self.marks.waiting.push_back(LogPosition {
            offset,
            source: self.source.clone(),
        });
    }

    async fn queue(&mut self, data: Bytes, stream: LogStream) {
        self.position += data.len() as u64;
        let chunk = Chunk {
            data,
            stream,
            time: SystemTime::now(),
            position: self.marks.last_until(self.position),
        };
        self.queue.push(chunk).await;
    }
}

/// The places at the source that are known, in order.
#[derive(Default)]
struct Marks {
    waiting: VecDeque<LogPosition>,
    last: Option<LogPosition>,
}

impl Marks {
    /// Returns the last place that stands at this offset or before it.
    fn last_until(&mut self, offset: u64) -> Option<LogPosition> {
        while let Some(next) = self.waiting.pop_front_if(|mark| mark.offset <= offset) {
            self.last = Some(next);
        }
        self.last.clone()
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use ck8s_proto::runs::v1::LogAppend;
    use ck8s_types::{Epoch, LeaseRef, RunId};

    use super::*;

    fn pump(stored: u64, secret: &str) -> PumpState {
        let lease = LeaseKey {
            run_id: RunId::new(),
            serial: 1,
        };
        PumpState {
            queue: Arc::new(RunQueue::new(lease, 1, stored, Arc::default())),
            masker: Mask::new([secret]).stream(),
            chunker: Chunker::default(),
            position: stored,
            skip: 0,
            at_line_start: true,
            source: None,
            marks: Marks::default(),
        }
    }

    /// Takes items, and returns what is to be stored: each piece with the place at the source that goes with it.
    async fn stored(mut pump: PumpState, items: Vec<LogItem>) -> Vec<(String, String)> {
        for item in items {
            pump.handle(item).await;
        }
        pump.flush_masker().await;
        pump.flush().await;
        let lease = LeaseRef {
            run_id: pump.queue.lease.run_id,
            epoch: Epoch(1),
        };
        let piece = |append: LogAppend| {
            let data = append.chunk.expect("a piece").data;
            (String::from_utf8_lossy(&data).into_owned(), append.position)
        };
        pump.queue
            .next_appends(lease, 1 << 20)
            .into_iter()
            .map(piece)
            .collect()
    }

    fn part(data: &'static str, end: &str) -> LogItem {
        LogItem::Part {
            data: data.into(),
            end: end.to_owned(),
        }
    }

    #[tokio::test]
    async fn a_note_begins_on_a_line_of_its_own() {
        let words = || LogItem::Output("last words".into());
        let note = || LogItem::Note("ended".to_owned());
        let all =
            |pieces: Vec<(String, String)>| pieces.into_iter().map(|p| p.0).collect::<String>();
        assert_eq!(
            all(stored(pump(0, ""), vec![words(), note()]).await),
            "last words\nended\n"
        );
        let lines = vec![LogItem::Output("line\n".into()), note(), note()];
        assert_eq!(
            all(stored(pump(0, ""), lines).await),
            "line\nended\nended\n"
        );
    }

    #[tokio::test]
    async fn each_piece_names_the_last_place_at_the_source_that_is_certain() {
        let items = vec![
            LogItem::Note("on node-1".to_owned()),
            part("one\n", "T1 4"),
            LogItem::Note("by us".to_owned()),
            // What may become a secret is held back: reading on behind it would lose it.
            part("two hun", "T2 7"),
            part("ter22\n", "T3 6"),
        ];
        let pieces = stored(pump(0, "hunter22"), items).await;
        let expected = [
            ("on node-1\n", "10"),
            ("one\n", "14 T1 4"),
            ("by us\n", "20 T1 4"),
            ("two ***\n", "28 T3 6"),
        ];
        let pieces: Vec<_> = pieces
            .iter()
            .map(|(d, p)| (d.as_str(), p.as_str()))
            .collect();
        assert_eq!(pieces, expected);
    }

    #[tokio::test]
    async fn what_is_stored_is_skipped_up_to_a_gap() {
        let items = vec![LogItem::Skip(6), part("one\ntwo\nthree\n", "T1 14")];
        let pieces = stored(pump(100, ""), items).await;
        assert_eq!(pieces, [("o\nthree\n".to_owned(), "108 T1 14".to_owned())]);
        let items = vec![
            LogItem::Skip(6),
            LogItem::Gap("missing".to_owned()),
            part("new\n", "T9 4"),
        ];
        let pieces = stored(pump(100, ""), items).await;
        let text: String = pieces.into_iter().map(|(data, _)| data).collect();
        assert_eq!(text, "missing\nnew\n");
    }
}
