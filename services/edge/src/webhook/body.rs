//! Reads a body within its bounds: size, time, and the memory of all.
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::budget::{Budget, Share};

/// How long a body may take to come.
const TIME: Duration = Duration::from_secs(30);
/// What is read and thrown away of a body that is refused, so that the client reads the answer and no reset: more than is sent by mistake.
const DISCARDED: usize = 64 * 1024 * 1024;
/// And for how long.
const DISCARD_TIME: Duration = Duration::from_secs(10);

/// Why a body was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unread {
    TooLarge,
    TooSlow,
    /// The connection broke, or the framing is wrong.
    Broken,
    NoMemory,
}

/// The body, and its share of the memory.
pub(super) async fn read(
    body: &mut Incoming,
    most: usize,
    budget: &Budget,
) -> Result<(Bytes, Share), Unread> {
    let mut share = budget.share();
    let bytes = tokio::time::timeout(TIME, collect(body, most, &mut share)).await;
    bytes
        .unwrap_or(Err(Unread::TooSlow))
        .map(|bytes| (bytes, share))
}

async fn collect(body: &mut Incoming, most: usize, share: &mut Share) -> Result<Bytes, Unread> {
    // Most bodies come in one piece, which is taken as it is.
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + pieces.len() + data.len() > most {
            return Err(Unread::TooLarge);
        }
        share.grow(data.len()).map_err(|_| Unread::NoMemory)?;
        if whole.is_empty() && pieces.is_empty() {
            whole = data;
            continue;
        }
        if pieces.is_empty() {
            let left = usize::try_from(body.size_hint().lower())
                .unwrap_or(0)
                .min(most);
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

/// Throws away what still comes, within bounds.
pub(super) async fn discard(body: &mut Incoming) {
    let drain = async {
        let mut left = DISCARDED;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else {
                return;
            };
            left = rest;
        }
    };
    // Whether it ended or not: the answer goes out now.
    let _ = tokio::time::timeout(DISCARD_TIME, drain).await;
}
