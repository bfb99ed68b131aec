//! HTTP/2: floods of frames. The frames are written by hand, since no client library sends such.
use tokio::io::AsyncWriteExt;

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// The frames that are sent at once.
const BATCH_FRAMES: u32 = 1_000;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET /healthz`, compressed: three entries of the static table, and a path.
fn request_headers() -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, 8];
    block.extend(b"/healthz");
    block.extend([0x01, 1, b'x']);
    block
}

/// Opens a connection and sends batches of frames until the server ends it, or for a while; returns how many frames
/// were sent. What the server sends is read and dropped.
async fn frames(target: &Target, from: usize, batch: impl Fn(u32) -> Vec<u8>) -> usize {
    let Ok(stream) = target.connect(from).await else {
        return 0;
    };
    let (mut read, mut write) = stream.into_split();
    let reading = tokio::spawn(async move {
        let mut dropped = vec![0; 65_536];
        while matches!(read.read(&mut dropped).await, Ok(1..)) {}
    });
    let opening = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let until = Instant::now() + ATTACK_TIME;
    let mut sent = 0;
    if write.write_all(&opening).await.is_ok() {
        for n in 0..100_000 {
            if Instant::now() > until || reading.is_finished() {
                break;
            }
            let written = tokio::time::timeout(CALL_TIMEOUT, write.write_all(&batch(n))).await;
            if !matches!(written, Ok(Ok(()))) {
                break;
            }
            sent += BATCH_FRAMES as usize;
        }
    }
    reading.abort();
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames() {
    let target = Target::start().await;
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(BATCH_FRAMES as usize);
    let attack = flood(8, |n| frames(&target, n, |_| pings.clone()));
    target.suffers("HTTP/2 PING frames", attack).await;

    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(BATCH_FRAMES as usize);
    let attack = flood(8, |n| frames(&target, n, |_| settings.clone()));
    target.suffers("HTTP/2 SETTINGS frames", attack).await;

    let resets = |n: u32| {
        let streams = (n * BATCH_FRAMES..(n + 1) * BATCH_FRAMES).map(|n| 2 * n + 1);
        let pair = |id| {
            let headers = frame(HEADERS, END_STREAM | END_HEADERS, id, &request_headers());
            [headers, frame(RST_STREAM, 0, id, &[0, 0, 0, 8])].concat()
        };
        streams.flat_map(pair).collect()
    };
    let attack = flood(8, |n| frames(&target, n, resets));
    target.suffers("HTTP/2 rapid reset", attack).await;

    // A header block that never ends.
    let continued = |n: u32| {
        let first = frame(HEADERS, END_STREAM, 1, &request_headers());
        let more =
            frame(CONTINUATION, 0, 1, &[0x00, 1, b'x', 1, b'y']).repeat(BATCH_FRAMES as usize);
        if n == 0 { [first, more].concat() } else { more }
    };
    let attack = flood(8, |n| frames(&target, n, continued));
    target
        .suffers("HTTP/2 CONTINUATION frames without end", attack)
        .await;
}
