//! Takes a node's log apart, in which a time stamp stands before each piece of output. Pure.
use k8s_openapi::jiff::Timestamp;

/// The size at which container runtimes cut long lines. Older nodes put a time stamp before each part, in the middle of
/// the line.
const MAX_PART_BYTES: usize = 16 * 1024;
/// Bounds a time stamp and the blank behind it: RFC 3339 with nanoseconds and an offset.
const MAX_PREFIX_BYTES: usize = 40;

/// Takes the bytes of one stream apart, wherever they are cut.
#[derive(Default)]
pub(crate) struct LogLines {
    state: State,
    /// The beginning of what may become a time stamp.
    prefix: Vec<u8>,
}

#[derive(Clone, Copy, Default)]
enum State {
    /// At the beginning of a line.
    #[default]
    Line,
    /// Behind a full part of a line of this time: another time stamp may follow.
    Part(Timestamp),
    /// In the output of this time, of which the current part has this many bytes.
    Output(Timestamp, usize),
    /// In a line without a time stamp: the node itself wrote it, to say what is wrong.
    NodeText,
}

impl LogLines {
    /// Takes bytes, and hands on the output in them, each piece with its time.
    pub(crate) fn push(&mut self, mut data: &[u8], mut output: impl FnMut(Timestamp, &[u8])) {
        while !data.is_empty() {
            data = match self.state {
                State::Line | State::Part(_) => self.take_prefix(data, &mut output),
                State::Output(time, taken) => {
                    let (piece, rest) = data.split_at(piece_size(data, MAX_PART_BYTES - taken));
                    output(time, piece);
                    self.state = after_piece(time, taken, piece);
                    rest
                }
                State::NodeText => {
                    let (line, rest) = data.split_at(piece_size(data, usize::MAX));
                    if line.ends_with(b"\n") {
                        self.state = State::Line;
                    }
                    rest
                }
            };
        }
    }

    /// Takes what belongs to a time stamp, and decides whether it is one.
    fn take_prefix<'a>(
        &mut self,
        data: &'a [u8],
        output: &mut impl FnMut(Timestamp, &[u8]),
    ) -> &'a [u8] {
        let room = MAX_PREFIX_BYTES.saturating_sub(self.prefix.len());
        let size = data
            .iter()
            .take(room)
            .position(|b| matches!(b, b' ' | b'\n'))
            .map_or(room.min(data.len()), |at| at + 1);
        let (taken, rest) = data.split_at(size);
        self.prefix.extend_from_slice(taken);
        let ends = matches!(self.prefix.last(), Some(b' ' | b'\n'));
        if !ends && self.prefix.len() < MAX_PREFIX_BYTES {
            return rest;
        }
        let prefix = std::mem::take(&mut self.prefix);
        match (timestamp(&prefix), self.state) {
            (Some(time), _) => self.state = State::Output(time, 0),
            (None, State::Part(time)) => {
                output(time, &prefix);
                self.state = after_piece(time, 0, &prefix);
            }
            (None, _) if prefix.ends_with(b"\n") => self.state = State::Line,
            (None, _) => self.state = State::NodeText,
        }
        rest
    }
}

/// Returns the size of the first piece: a line, or as much as there is room for.
fn piece_size(data: &[u8], room: usize) -> usize {
    let data = &data[..data.len().min(room)];
    data.iter()
        .position(|b| *b == b'\n')
        .map_or(data.len(), |at| at + 1)
}

fn after_piece(time: Timestamp, taken: usize, piece: &[u8]) -> State {
    let taken = taken + piece.len();
    if piece.ends_with(b"\n") {
        State::Line
    } else if taken == MAX_PART_BYTES {
        State::Part(time)
    } else {
        State::Output(time, taken)
    }
}

fn timestamp(prefix: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(prefix.strip_suffix(b" ")?).ok()?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(log: &[u8], cut: usize) -> (String, usize) {
        let (mut lines, mut text, mut times) = (LogLines::default(), Vec::new(), Vec::new());
        for part in log.chunks(cut) {
            lines.push(part, |time, piece| {
                text.extend_from_slice(piece);
                if times.last() != Some(&time) {
                    times.push(time);
                }
            });
        }
        (String::from_utf8(text).expect("is text"), times.len())
    }

    #[test]
    fn output_is_taken_without_time_stamps_wherever_it_is_cut() {
        let part = "x".repeat(MAX_PART_BYTES);
        let stamp = |second: u32| format!("2026-01-01T00:00:{second:02}.123456789Z ");
        let (one, two, three) = (stamp(1), stamp(2), stamp(3));
        // A long line as older nodes write it, and as newer ones do; an empty line; a line that does not end.
        let log =
            format!("{one}a b\n{two}{part}{three}end\n{three}{part}end\n{one}\n{two}2026 rest");
        let text = format!("a b\n{part}end\n{part}end\n\n2026 rest");
        for cut in [1, 7, 1000, log.len()] {
            assert_eq!(
                taken(log.as_bytes(), cut),
                (text.clone(), 5),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn what_the_node_itself_says_is_not_output() {
        let log = "2026-01-01T00:00:01Z up\nrpc error: code = NotFound desc = no container\nunable to retrieve";
        assert_eq!(taken(log.as_bytes(), 5).0, "up\n");
    }
}
