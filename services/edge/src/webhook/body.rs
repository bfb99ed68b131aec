//! Reads a body within its bounds: its size, the time that it takes, and the memory of all bodies.
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::memory_budget::{MemoryBudget, MemoryShare};

/// Bounds how long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
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

/// Reads a body and returns it with its share of the memory.
pub(super) async fn read(
    body: &mut Incoming,
    max_bytes: usize,
    budget: &MemoryBudget,
) -> Result<(Bytes, MemoryShare), BodyError> {
    let mut share = budget.share();
    let bytes = tokio::time::timeout(BODY_TIMEOUT, collect(body, max_bytes, &mut share)).await;
    bytes
        .unwrap_or(Err(BodyError::Timeout))
        .map(|bytes| (bytes, share))
}

async fn collect(
    body: &mut Incoming,
    max_bytes: usize,
    share: &mut MemoryShare,
) -> Result<Bytes, BodyError> {
    // Most bodies arrive in one piece, which is kept as it is.
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Incomplete)?.into_data() else {
            continue;
        };
        if whole.len() + pieces.len() + data.len() > max_bytes {
            return Err(BodyError::TooLarge);
        }
        share.grow(data.len()).map_err(|_| BodyError::OutOfMemory)?;
        if whole.is_empty() && pieces.is_empty() {
            whole = data;
            continue;
        }
        if pieces.is_empty() {
            let left = usize::try_from(body.size_hint().lower())
                .unwrap_or(0)
                .min(max_bytes);
            pieces.reserve(whole.len() + data.len() + left);
            pieces.extend_from_slice(&std::mem::take(&mut whole));
        }
        pieces.extend_from_slice(&data);
    }
    Ok(if pieces.is_empty() {
        whole
    } else {
        pieces.freeze()
    })
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
