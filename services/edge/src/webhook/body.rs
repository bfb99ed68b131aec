//! Reads a body within its bounds: its size, the time that it takes, its speed, and the memory of all bodies.
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use tokio::time::Instant;

use super::memory_budget::MemoryShare;

/// Bounds how long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is checked that a body makes progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);
/// The least of a body that arrives in that time, unless it ends: a tenth of what the slowest honest line brings.
const MIN_PROGRESS_BYTES: usize = 64 * 1024;
/// The first room for a body that comes in pieces; it doubles as they come, so that announcing much takes nothing.
const FIRST_ROOM_BYTES: usize = 256 * 1024;
/// Bounds what is read and thrown away of a refused body, so that its client reads the answer instead of a reset. More
/// than anybody sends by mistake.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;
/// Bounds how long a refused body is read.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);

/// The reason why a body was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BodyError {
    TooLarge,
    Timeout,
    /// The connection broke, or the framing is wrong.
    Incomplete,
    OutOfMemory,
}

/// Reads a body into its share of the memory, and returns it.
pub(super) async fn read(
    body: &mut Incoming,
    max_bytes: usize,
    share: &mut MemoryShare,
) -> Result<Bytes, BodyError> {
    let bytes = tokio::time::timeout(BODY_TIMEOUT, collect(body, max_bytes, share)).await;
    bytes.unwrap_or(Err(BodyError::Timeout))
}

async fn collect(
    body: &mut Incoming,
    max_bytes: usize,
    share: &mut MemoryShare,
) -> Result<Bytes, BodyError> {
    // Most bodies arrive in one piece, which is kept as it is.
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    let mut progress = Progress::begin();
    while let Some(frame) = progress.next(body).await? {
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let have = whole.len() + pieces.len();
        if have + data.len() > max_bytes {
            return Err(BodyError::TooLarge);
        }
        let grown = share.grow(data.len()).await;
        if grown.map_err(|_| BodyError::OutOfMemory)? {
            // That it waited is not its doing.
            progress = Progress::begin();
        }
        if have == 0 {
            whole = data;
            continue;
        }
        if pieces.capacity() < have + data.len() {
            let left = usize::try_from(body.size_hint().lower())
                .unwrap_or(max_bytes)
                .min(max_bytes);
            let room = left.min(FIRST_ROOM_BYTES.max(have));
            pieces.reserve(whole.len() + data.len() + room);
        }
        pieces.extend_from_slice(&std::mem::take(&mut whole));
        pieces.extend_from_slice(&data);
    }
    Ok(if pieces.is_empty() {
        whole
    } else {
        pieces.freeze()
    })
}

/// What of a body has arrived since it was checked last.
struct Progress {
    bytes: usize,
    until: Instant,
}

impl Progress {
    fn begin() -> Self {
        Self {
            bytes: 0,
            until: Instant::now() + PROGRESS_INTERVAL,
        }
    }

    /// Returns the next frame of a body that is not too slow.
    async fn next(&mut self, body: &mut Incoming) -> Result<Option<Frame<Bytes>>, BodyError> {
        loop {
            match tokio::time::timeout_at(self.until, body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(frame)) => {
                    let frame = frame.map_err(|_| BodyError::Incomplete)?;
                    self.bytes += frame.data_ref().map_or(0, Bytes::len);
                    return Ok(Some(frame));
                }
                Err(_) if self.bytes < MIN_PROGRESS_BYTES => return Err(BodyError::Timeout),
                Err(_) => *self = Self::begin(),
            }
        }
    }
}

/// Reads the rest of a body and throws it away, within bounds.
pub(super) async fn discard(body: &mut Incoming) {
    let drain = async {
        let mut left = MAX_DISCARDED_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else {
                return;
            };
            left = rest;
        }
    };
    // The answer goes out now, whether the body ended or not.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, drain).await;
}
