//! What standard output and standard error take: colors, a line that is drawn again, or plain text alone.
use std::io::{self, IsTerminal};

use vte::{Parser, Perform};

use crate::text::steers_terminal;

/// Returns whether standard output takes colors.
pub(crate) fn stdout_has_color() -> bool {
    io::stdout().is_terminal() && is_capable() && color_is_wanted()
}

/// Returns whether standard error takes colors.
pub(crate) fn stderr_has_color() -> bool {
    io::stderr().is_terminal() && is_capable() && color_is_wanted()
}

/// Returns whether a line of standard error can be drawn again.
pub(crate) fn stderr_redraws() -> bool {
    io::stderr().is_terminal() && is_capable()
}

/// Returns whether the terminal does more than show text: `TERM=dumb` says that it does not.
fn is_capable() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// <https://no-color.org>
fn color_is_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Makes a stream of bytes safe for a terminal: escape sequences are left out whole, other controls but line breaks and
/// tabs too, and what is not UTF-8 is replaced. A carriage return begins a line, so that nothing is written over.
#[derive(Default)]
pub(crate) struct TerminalFilter {
    parser: Parser,
    text: PrintableText,
}

#[derive(Default)]
struct PrintableText {
    text: String,
    /// The last character was a carriage return: a line break after it belongs to it.
    after_return: bool,
}

impl TerminalFilter {
    /// Returns what a terminal may show of the next bytes.
    pub(crate) fn filter(&mut self, bytes: &[u8]) -> String {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (line, has_end) = match line.split_last() {
                Some((b'\n', line)) => (line, true),
                _ => (line, false),
            };
            self.parser.advance(&mut self.text, line);
            if has_end {
                // A sequence that nothing ends must not hide the lines after it.
                self.parser = Parser::new();
                self.text.execute(b'\n');
            }
        }
        std::mem::take(&mut self.text.text)
    }
}

impl Perform for PrintableText {
    fn print(&mut self, c: char) {
        self.after_return = false;
        if !steers_terminal(c) {
            self.text.push(c);
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' if self.after_return => {}
            b'\n' | b'\r' => self.text.push('\n'),
            b'\t' => self.text.push('\t'),
            _ => {}
        }
        self.after_return = byte == b'\r';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[&[u8]]) -> String {
        let mut filter = TerminalFilter::default();
        pieces.iter().map(|piece| filter.filter(piece)).collect()
    }

    #[test]
    fn escape_sequences_are_left_out_whole_wherever_a_chunk_ends() {
        let log = "a\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}\u{1b}]52;c;aGk=\u{1b}\\é\u{9b}2Jz\u{202e}\tend\n";
        let expected = shown(&[log.as_bytes()]);
        assert!(
            expected.starts_with("aredé") && expected.ends_with("\tend\n"),
            "{expected:?}"
        );
        assert!(
            !expected
                .chars()
                .any(|c| steers_terminal(c) && !matches!(c, '\n' | '\t'))
        );
        for at in 0..log.len() {
            let (one, two) = log.as_bytes().split_at(at);
            assert_eq!(shown(&[one, two]), expected, "cut at {at}");
        }
    }

    #[test]
    fn nothing_is_written_over_and_nothing_hides_the_next_line() {
        assert_eq!(
            shown(&[b"10%\r20%\r", b"\n", b"done\r\n"]),
            "10%\n20%\ndone\n"
        );
        assert_eq!(
            shown(&[b"\x1b]0;never ended\nseen\n\x1bPq\nseen\n"]),
            "\nseen\n\nseen\n"
        );
        assert_eq!(shown(&[b"\xff\x9b31mx\x08\x00y"]), "\u{fffd}31mxy");
    }
}
