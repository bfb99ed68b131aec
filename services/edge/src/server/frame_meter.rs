//! The pace of an HTTP/2 connection's control frames: PING, SETTINGS, WINDOW_UPDATE and the like cost their sender next
//! to nothing and the server some work each. Requests, and what their responses bring, earn them.
use std::time::Duration;

use tokio::time::Instant;

/// What a client sends first if it speaks HTTP/2 (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The bytes of a frame's header (RFC 9113, 4.1).
const HEADER_BYTES: usize = 9;
/// The types of frames that are no control frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;

/// The control frames that a connection may send at once: more than clients send when they connect.
const BURST_FRAMES: u32 = 1_000;
/// How many more it may send in a second.
const FRAMES_PER_SECOND: u32 = 50;
/// What a request earns: its priority, its reset, and the window updates for a small response.
const FRAMES_PER_REQUEST: u32 = 10;
/// What a part of a response's body earns beside its bytes: some clients measure their connection with a PING for each.
const FRAMES_PER_RESPONSE_PART: usize = 3;
/// The bytes of a response that earn one frame: two window updates for each 4 KiB are the most that clients send.
const RESPONSE_BYTES_PER_FRAME: usize = 2 * 1024;

/// Returns the control frames that a part of a response's body earns.
pub(super) fn earned_by_part(bytes: usize) -> u32 {
    let frames = FRAMES_PER_RESPONSE_PART + bytes / RESPONSE_BYTES_PER_FRAME;
    u32::try_from(frames).unwrap_or(BURST_FRAMES)
}

/// The meter of one connection.
#[derive(Debug)]
pub(super) struct FrameMeter {
    reading: Reading,
    /// The control frames that may come; below zero after a read that brought more.
    left: i64,
    refilled: Instant,
}

/// Where in the bytes of a connection the meter stands.
#[derive(Debug)]
enum Reading {
    /// In the preface, after so many of its bytes.
    Preface(usize),
    /// In a frame's header, of which so many bytes are there.
    Header([u8; HEADER_BYTES], usize),
    /// In a frame's payload, of which so many bytes are to come.
    Payload(usize),
    /// It is not HTTP/2.
    Other,
}

impl FrameMeter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            reading: Reading::Preface(0),
            left: i64::from(BURST_FRAMES),
            refilled: now,
        }
    }

    /// Counts the frames in bytes that came.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while let Some(first) = bytes.first() {
            match &mut self.reading {
                Reading::Other => return,
                Reading::Preface(matched) => {
                    self.reading = match PREFACE.get(*matched) {
                        Some(expected) if expected != first => Reading::Other,
                        _ if *matched + 1 == PREFACE.len() => Reading::Header([0; HEADER_BYTES], 0),
                        _ => Reading::Preface(*matched + 1),
                    };
                    bytes = &bytes[1..];
                }
                Reading::Header(header, filled) => {
                    let taken = bytes.len().min(HEADER_BYTES - *filled);
                    header[*filled..*filled + taken].copy_from_slice(&bytes[..taken]);
                    *filled += taken;
                    bytes = &bytes[taken..];
                    if *filled == HEADER_BYTES {
                        let [a, b, c, kind, ..] = *header;
                        let length = u32::from_be_bytes([0, a, b, c]) as usize;
                        self.count(kind, length);
                        self.reading = match length {
                            0 => Reading::Header([0; HEADER_BYTES], 0),
                            _ => Reading::Payload(length),
                        };
                    }
                }
                Reading::Payload(left) => {
                    let taken = bytes.len().min(*left);
                    *left -= taken;
                    bytes = &bytes[taken..];
                    if *left == 0 {
                        self.reading = Reading::Header([0; HEADER_BYTES], 0);
                    }
                }
            }
        }
    }

    fn count(&mut self, kind: u8, length: usize) {
        match kind {
            HEADERS => self.earn(FRAMES_PER_REQUEST),
            DATA if length > 0 => {}
            _ => self.left -= 1,
        }
    }

    /// Lets so many more control frames come.
    pub(super) fn earn(&mut self, frames: u32) {
        self.left = (self.left + i64::from(frames)).min(i64::from(BURST_FRAMES));
    }

    /// Returns how long nothing more is to be read. None: go on.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Duration> {
        if self.left > 0 {
            return None;
        }
        let since = now.saturating_duration_since(self.refilled);
        let more = since.as_millis() * u128::from(FRAMES_PER_SECOND) / 1_000;
        if more > 0 {
            self.earn(u32::try_from(more).unwrap_or(BURST_FRAMES));
            self.refilled = now;
        }
        let missing = u32::try_from(1 - self.left).ok().filter(|n| *n > 0)?;
        Some(Duration::from_secs(1) * missing / FRAMES_PER_SECOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 0], payload].concat()
    }

    fn pings(count: u32) -> Vec<u8> {
        frame(PING, &[0; 8]).repeat(count as usize)
    }

    fn http2(now: Instant) -> FrameMeter {
        let mut meter = FrameMeter::new(now);
        meter.read(PREFACE);
        meter
    }

    #[test]
    fn a_flood_of_control_frames_is_slowed_down_to_its_pace() {
        let mut now = Instant::now();
        let mut meter = http2(now);
        meter.read(&pings(BURST_FRAMES - 1));
        assert_eq!(meter.pause(now), None);
        meter.read(&pings(1 + FRAMES_PER_SECOND));
        let pause = meter.pause(now).expect("it is too fast");
        assert!(pause > Duration::from_secs(1) && pause < Duration::from_secs(2));
        now += pause;
        assert_eq!(meter.pause(now), None);
        meter.read(&pings(1));
        assert!(meter.pause(now).is_some());
    }

    #[test]
    fn frames_are_counted_however_they_are_cut() {
        let now = Instant::now();
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(DATA, &[7; 500]).repeat(5_000));
        bytes.extend(pings(BURST_FRAMES));
        let mut meter = FrameMeter::new(now);
        for piece in bytes.chunks(13) {
            assert_eq!(meter.pause(now), None);
            meter.read(piece);
        }
        assert!(meter.pause(now).is_some());
        let mut empty = http2(now);
        empty.read(&frame(DATA, &[]).repeat(BURST_FRAMES as usize));
        assert!(empty.pause(now).is_some(), "frames of no bytes cost too");
    }

    #[test]
    fn requests_and_responses_earn_control_frames() {
        let now = Instant::now();
        let mut meter = http2(now);
        for _ in 0..5_000 {
            meter.read(&frame(HEADERS, &[0x82]));
            meter.read(&pings(FRAMES_PER_REQUEST));
            let earned = earned_by_part(100);
            meter.earn(earned);
            meter.read(&pings(earned));
            assert_eq!(meter.pause(now), None);
        }
    }

    #[test]
    fn http1_is_not_counted() {
        let now = Instant::now();
        let mut meter = FrameMeter::new(now);
        meter.read(b"POST /api HTTP/1.1\r\n\r\n");
        meter.read(&[0; 100_000]);
        assert_eq!(meter.pause(now), None);
    }
}
