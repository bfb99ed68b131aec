//! From a workload's output to the stored log: masked, cut into pieces, shipped in batches.
mod mask;
mod piece;
mod pump;
mod ship;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

pub(crate) use mask::Masker;
pub(crate) use pump::{Pump, PumpStart};
pub(crate) use ship::Shipper;

/// How many items may wait between an executor and the pump: backpressure for the workload.
const SINK_ITEMS: usize = 64;

/// What an executor has to say for the log.
#[derive(Debug)]
pub enum LogItem {
    /// The workload's output.
    Output(Bytes),
    /// What ck8s has to say, one line. Not between the first output and the last.
    Note(String),
    /// Asks where the next byte will stand in the stored log.
    Position(oneshot::Sender<u64>),
    /// That many bytes of the (masked) output that follows are stored already.
    Skip(u64),
}

/// Where an executor puts the log of one workload.
pub type LogSink = mpsc::Sender<LogItem>;

/// A sink and its other end.
#[must_use]
pub fn log_channel() -> (LogSink, mpsc::Receiver<LogItem>) {
    mpsc::channel(SINK_ITEMS)
}
