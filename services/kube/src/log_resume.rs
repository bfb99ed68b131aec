//! Finds the place in a log where an earlier reader stopped. Pure.
use std::{fmt, str::FromStr};

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// Bounds what is held back while the place is looked for.
const MAX_HELD_BYTES: usize = 256 * 1024;
/// How far the times of neighbouring lines may be out of order: the two streams of a container are stamped each by
/// itself.
const MAX_DISORDER: SignedDuration = SignedDuration::from_secs(1);

/// A place in a pod's log: behind so many bytes of the output with this time, one piece after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogPoint {
    pub(crate) time: Timestamp,
    pub(crate) bytes: u64,
}

/// The error of a text that names no place in a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a place in a pod's log")]
pub struct InvalidLogPoint;

impl fmt::Display for LogPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.time, self.bytes)
    }
}

impl FromStr for LogPoint {
    type Err = InvalidLogPoint;

    fn from_str(text: &str) -> Result<Self, InvalidLogPoint> {
        let (time, bytes) = text.split_once(' ').ok_or(InvalidLogPoint)?;
        Ok(Self {
            time: time.parse().map_err(|_| InvalidLogPoint)?,
            bytes: bytes.parse().map_err(|_| InvalidLogPoint)?,
        })
    }
}

/// Where a piece of output ends, for one that begins at `point`.
fn advanced(point: Option<LogPoint>, time: Timestamp, bytes: usize) -> LogPoint {
    let before = point.filter(|p| p.time == time).map_or(0, |p| p.bytes);
    LogPoint {
        time,
        bytes: before + bytes as u64,
    }
}

/// Passes on what stands behind a place. The place is found by its time and, within that, by its bytes. If it is not
/// there any more, what is newer is passed on, and a gap is known.
pub(crate) struct LogResume {
    state: State,
    /// Behind everything that was passed on.
    point: Option<LogPoint>,
    gap: bool,
}

enum State {
    /// Everything is passed on.
    Passing,
    /// The place is behind this many bytes of its time.
    Skipping(LogPoint),
    /// The place was not seen yet. What is newer may still stand before it.
    Seeking {
        sought: LogPoint,
        held: Vec<u8>,
        behind_held: Option<LogPoint>,
    },
}

impl LogResume {
    pub(crate) fn from(point: Option<LogPoint>) -> Self {
        let state = match point {
            None => State::Passing,
            Some(sought) => State::Seeking {
                sought,
                held: Vec::new(),
                behind_held: None,
            },
        };
        Self {
            state,
            point,
            gap: false,
        }
    }

    /// Returns the place behind everything that was passed on.
    pub(crate) fn point(&self) -> Option<LogPoint> {
        self.point
    }

    /// Whether the place was not seen yet.
    pub(crate) fn is_seeking(&self) -> bool {
        matches!(self.state, State::Seeking { .. })
    }

    /// Whether something is held back: it is passed on if nothing more comes.
    pub(crate) fn holds_back(&self) -> bool {
        matches!(&self.state, State::Seeking { held, .. } if !held.is_empty())
    }

    /// Returns, once, whether the place was not there any more.
    pub(crate) fn take_gap(&mut self) -> bool {
        std::mem::take(&mut self.gap)
    }

    /// Takes a piece of output, and passes on what is new.
    pub(crate) fn take(&mut self, time: Timestamp, piece: &[u8], out: &mut Vec<u8>) {
        match &mut self.state {
            State::Passing => self.pass(time, piece, out),
            State::Seeking { sought, .. } if sought.time == time => {
                self.state = State::Skipping(*sought);
                self.take(time, piece, out);
            }
            State::Seeking { sought, .. } if time < sought.time => {}
            State::Seeking {
                sought,
                held,
                behind_held,
            } => {
                held.extend_from_slice(piece);
                *behind_held = Some(advanced(*behind_held, time, piece.len()));
                let too_late = time.duration_since(sought.time) > MAX_DISORDER;
                if too_late || held.len() > MAX_HELD_BYTES {
                    self.give_up(out);
                }
            }
            State::Skipping(left) if left.time == time && left.bytes > 0 => {
                let skipped = usize::try_from(left.bytes)
                    .unwrap_or(usize::MAX)
                    .min(piece.len());
                left.bytes -= skipped as u64;
                if skipped < piece.len() {
                    self.state = State::Passing;
                    self.pass(time, &piece[skipped..], out);
                }
            }
            State::Skipping(_) => {
                self.state = State::Passing;
                self.pass(time, piece, out);
            }
        }
    }

    /// Stops looking for the place: passes on what was held back.
    pub(crate) fn give_up(&mut self, out: &mut Vec<u8>) {
        if let State::Seeking {
            held, behind_held, ..
        } = &mut self.state
        {
            out.append(held);
            self.point = behind_held.or(self.point);
            self.gap = true;
            self.state = State::Passing;
        }
    }

    fn pass(&mut self, time: Timestamp, piece: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(piece);
        self.point = Some(advanced(self.point, time, piece.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("is a time")
    }

    /// Reads from a place. Returns what is passed on, whether there was a gap, and the place behind it.
    fn read(from: &str, log: &[(i64, &str)]) -> (String, bool, String) {
        let mut resume = LogResume::from(from.parse().ok());
        let mut out = Vec::new();
        for (second, piece) in log {
            resume.take(at(*second), piece.as_bytes(), &mut out);
        }
        if resume.holds_back() {
            resume.give_up(&mut out);
        }
        let text = String::from_utf8(out).expect("is text");
        let point = resume.point().map(|p| p.to_string()).unwrap_or_default();
        (text, resume.take_gap(), point)
    }

    const LOG: [(i64, &str); 5] = [
        (1, "a\n"),
        (5, "same\n"),
        (5, "same\n"),
        (6, "b"),
        (7, "c\n"),
    ];

    #[test]
    fn reading_goes_on_where_it_stopped_without_loss_or_repetition() {
        let all = "a\nsame\nsame\nbc\n";
        let (text, gap, end) = read("", &LOG);
        assert_eq!((text.as_str(), gap), (all, false));
        let point = |second: i64, bytes: u64| LogPoint {
            time: at(second),
            bytes,
        };
        for (place, passed) in [
            (point(1, 2), 2),
            (point(5, 3), 5),
            (point(5, 5), 7),
            (point(5, 10), 12),
        ] {
            let (text, gap, behind) = read(&place.to_string(), &LOG);
            assert_eq!(
                (text.as_str(), gap, &behind),
                (&all[passed..], false, &end),
                "{place}"
            );
        }
        assert_eq!(read(&end, &LOG), (String::new(), false, end));
    }

    #[test]
    fn lines_that_are_a_little_out_of_order_are_not_repeated() {
        let log = [(4, "a\n"), (6, "b\n"), (5, "c\n"), (7, "d\n")];
        let place = LogPoint {
            time: at(5),
            bytes: 2,
        };
        let (text, gap, _) = read(&place.to_string(), &log);
        assert_eq!((text.as_str(), gap), ("d\n", false));
    }

    #[test]
    fn a_place_that_is_gone_is_a_gap() {
        let place = LogPoint {
            time: at(3),
            bytes: 9,
        };
        for log in [&LOG[1..], &LOG[3..4]] {
            let (text, gap, _) = read(&place.to_string(), log);
            assert!(gap && !text.is_empty(), "{text}");
        }
        let (_, gap, _) = read(&place.to_string(), &[]);
        assert!(!gap, "nothing new is no gap");
    }
}
