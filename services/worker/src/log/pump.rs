//! One run's way from its executor to the shipper.
use std::{
    future,
    sync::Arc,
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use ck8s_proto::runs::v1::LogStream;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::task::AbortOnDropHandle;

use super::{
    LogItem, Masker, Shipper,
    piece::Pieces,
    ship::{Piece, ShippedRun},
};
use crate::{LogSettings, lease::LeaseKey};

/// What a pump starts from.
pub(crate) struct PumpStart {
    pub(crate) lease: LeaseKey,
    pub(crate) attempt: i32,
    pub(crate) masker: Masker,
    pub(crate) settings: LogSettings,
    /// Where the stored log of this attempt ends.
    pub(crate) stored: u64,
}

/// The pump of one run; dropped, it stops and what it holds is lost.
pub(crate) struct Pump(AbortOnDropHandle<()>);

impl Pump {
    pub(crate) fn spawn(
        shipper: &Shipper,
        start: PumpStart,
        items: mpsc::Receiver<LogItem>,
    ) -> Self {
        let run = shipper.register(start.lease, start.attempt, start.stored);
        let work = Work {
            run,
            masker: start.masker,
            pieces: Pieces::new(start.settings),
            position: start.stored,
            skip: 0,
        };
        let handle: JoinHandle<()> = tokio::spawn(work.run(items));
        Self(AbortOnDropHandle::new(handle))
    }

    /// Returns when every sink is dropped and all is stored, or given up.
    pub(crate) async fn finish(self) {
        if let Err(error) = self.0.await {
            tracing::error!(%error, "a log pump broke");
        }
    }
}

struct Work {
    run: Arc<ShippedRun>,
    masker: Masker,
    pieces: Pieces,
    /// Where the next byte goes, pieces that wait included.
    position: u64,
    skip: u64,
}

impl Work {
    async fn run(mut self, mut items: mpsc::Receiver<LogItem>) {
        loop {
            let due = self.pieces.due();
            tokio::select! {
                item = items.recv() => match item {
                    Some(item) => self.take(item).await,
                    None => break,
                },
                () = until(due) => {
                    if let Some(piece) = self.pieces.take_due(Instant::now()) {
                        self.ship(piece, LogStream::Output).await;
                    }
                }
            }
        }
        let rest = self.masker.finish();
        self.output(&rest).await;
        self.flush().await;
        self.run.drained().await;
    }

    async fn take(&mut self, item: LogItem) {
        match item {
            LogItem::Output(data) => {
                let masked = self.masker.push(&data);
                self.output(&masked).await;
            }
            LogItem::Note(text) => {
                let rest = self.masker.finish();
                self.output(&rest).await;
                self.flush().await;
                let mut line = self.masker.push(text.as_bytes());
                line.extend(self.masker.finish());
                line.push(b'\n');
                self.ship(Bytes::from(line), LogStream::System).await;
            }
            LogItem::Position(answer) => {
                self.flush().await;
                // Whoever asked may have gone.
                let _ = answer.send(self.position);
            }
            LogItem::Skip(bytes) => self.skip = bytes,
        }
    }

    async fn output(&mut self, masked: &[u8]) {
        let skip = usize::try_from(self.skip)
            .unwrap_or(usize::MAX)
            .min(masked.len());
        self.skip -= skip as u64;
        for piece in self.pieces.push(&masked[skip..], Instant::now()) {
            self.ship(piece, LogStream::Output).await;
        }
    }

    async fn flush(&mut self) {
        for piece in self.pieces.take_rest() {
            self.ship(piece, LogStream::Output).await;
        }
    }

    async fn ship(&mut self, data: Bytes, stream: LogStream) {
        self.position += data.len() as u64;
        self.run
            .push(Piece {
                data,
                stream,
                time: SystemTime::now(),
            })
            .await;
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => future::pending().await,
    }
}
