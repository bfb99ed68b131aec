//! Logs: pieces that workers append and people read.
use bytes::Bytes;
use ck8s_types::LeaseRef;
use time::OffsetDateTime;

/// Who wrote a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogStream {
    /// The workload.
    Output,
    /// ck8s itself.
    System,
}

/// Where the log of an attempt ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LogEnd {
    pub attempt: i32,
    /// In bytes.
    pub offset: i64,
}

/// What a worker appends to the log of one lease.
#[derive(Clone, Debug)]
pub(crate) struct LogAppend {
    pub lease: LeaseRef,
    /// Where the data starts in the attempt's log, in bytes.
    pub offset: i64,
    pub stream: LogStream,
    pub data: Bytes,
    /// Where the source stood, in the worker's words; empty: not known.
    pub position: String,
}

/// What became of one append.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LogAppendResult {
    pub lease: LeaseRef,
    /// Where the log ends now. None: the lease is not the caller's any more.
    pub end: Option<i64>,
    /// The log has reached its limit: more is dropped.
    pub truncated: bool,
    /// For an append without data: where the source stood at the last piece; empty: not known.
    pub position: String,
}

/// A piece to store, compressed.
#[derive(Clone, Debug)]
pub(crate) struct NewLogChunk {
    pub lease: LeaseRef,
    pub attempt: i32,
    pub start: i64,
    pub end: i64,
    /// Where the first of the pieces starts that were cut together with it.
    pub first: i64,
    pub stream: LogStream,
    pub data: Vec<u8>,
    /// Where the source stood, in the worker's words.
    pub position: Option<String>,
}

/// A stored piece; its data is compressed in the store, and plain above it.
#[derive(Clone, Debug)]
pub(crate) struct LogChunk {
    pub attempt: i32,
    pub start: i64,
    pub end: i64,
    pub stream: LogStream,
    pub data: Bytes,
    pub recorded_at: OffsetDateTime,
}
