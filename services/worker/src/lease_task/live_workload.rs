//! A workload that this worker follows, with its log.
use std::time::Duration;

use crate::{
    domain::{LogItem, LogSink},
    executor::Workload,
    log::Pump,
};

/// Bounds the wait for the workload's end once it was asked for, or has happened.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// A workload under way.
pub(super) struct LiveWorkload {
    pub(super) workload: Workload,
    pub(super) sink: LogSink,
    pub(super) pump: Pump,
}

impl LiveWorkload {
    /// Lets the workload go on without this worker. Returns when what was read of its log is stored.
    pub(super) async fn release(self) {
        drop(self.workload);
        drop(self.sink);
        self.pump.finish().await;
    }

    /// Closes the log of a workload that has ended, with a last note. Returns when the log is stored to its end.
    pub(super) async fn close(mut self, note: Option<String>) {
        let _ = tokio::time::timeout(END_TIMEOUT, self.workload.ended()).await;
        drop(self.workload);
        if let Some(note) = note {
            let _ = self.sink.send(LogItem::Note(note)).await;
        }
        drop(self.sink);
        self.pump.finish().await;
    }
}
