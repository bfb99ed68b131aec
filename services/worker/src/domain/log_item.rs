//! What an executor hands to the log of one workload, and the channel that carries it.
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

/// How many items may wait between an executor and the log pump. A full channel slows the workload down.
const MAX_WAITING_ITEMS: usize = 64;

/// One item of a workload's log.
#[derive(Debug)]
pub enum LogItem {
    /// Output of the workload.
    Output(Bytes),
    /// Output of the workload that can be read again from its source.
    Part {
        /// The output.
        data: Bytes,
        /// The place behind it at its source, in the executor's words.
        end: String,
    },
    /// Output is missing here: why, in words. What follows was not stored before.
    Gap(String),
    /// A line by ck8s itself.
    Note(String),
    /// A question: at which offset of the stored log does the next byte go?
    Position(oneshot::Sender<u64>),
    /// That many bytes of the (masked) output that follows are stored already.
    Skip(u64),
}

/// Where an executor puts the log of one workload.
pub type LogSink = mpsc::Sender<LogItem>;

/// Returns a sink and its receiver.
#[must_use]
pub fn log_channel() -> (LogSink, mpsc::Receiver<LogItem>) {
    mpsc::channel(MAX_WAITING_ITEMS)
}
