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
