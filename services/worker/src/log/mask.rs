//! Masks the values of secrets in a stream of bytes, wherever the stream is cut.
use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// The shortest value that is masked. Shorter ones would mask half of every line.
const MIN_PATTERN_BYTES: usize = 4;
/// What replaces a value.
const MASK: &[u8] = b"***";

/// Masks one stream. The result does not depend on where the stream is cut.
pub(crate) struct Masker {
    search: Option<AhoCorasick>,
    /// Sorted, so that a binary search tells whether the end of the buffer begins one of them.
    patterns: Vec<Vec<u8>>,
    max_pattern_bytes: usize,
    /// The end of the stream so far, which may yet become a secret.
    undecided: Vec<u8>,
}

impl Masker {
    /// Returns a masker for these values, each of their lines, and their base64.
    pub(crate) fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut patterns = BTreeSet::new();
        for value in values {
            patterns.insert(value.as_bytes().to_vec());
            patterns.insert(value.trim().as_bytes().to_vec());
            patterns.extend(value.lines().map(|line| line.trim().as_bytes().to_vec()));
            patterns.insert(STANDARD_NO_PAD.encode(value).into_bytes());
            patterns.insert(URL_SAFE_NO_PAD.encode(value).into_bytes());
        }
        patterns.retain(|p| p.len() >= MIN_PATTERN_BYTES);
        let patterns: Vec<_> = patterns.into_iter().collect();
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns);
        if let Err(error) = &search {
            // Values are bounded far below what the automaton can hold.
            tracing::error!(%error, "the search for secrets cannot be built");
        }
        Self {
            max_pattern_bytes: patterns.iter().map(Vec::len).max().unwrap_or(0),
            search: search.ok().filter(|_| !patterns.is_empty()),
            patterns,
            undecided: Vec::new(),
        }
    }

    /// Adds bytes to the stream. Returns the masked bytes that are certain; what may become a secret is held back.
    pub(crate) fn push(&mut self, data: &[u8]) -> Vec<u8> {
        self.undecided.extend_from_slice(data);
        let buffer = std::mem::take(&mut self.undecided);
        let (out, rest) = self.mask(&buffer, |from| self.decided_until(&buffer, from));
        self.undecided = buffer[rest..].to_vec();
        out
    }

    /// Ends the stream. Returns the rest of it.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let buffer = std::mem::take(&mut self.undecided);
        self.mask(&buffer, |_| buffer.len()).0
    }

    /// Masks up to the place that `decided_until` finds from a given one on. Returns the result and that place.
    fn mask(&self, buffer: &[u8], decided_until: impl Fn(usize) -> usize) -> (Vec<u8>, usize) {
        let mut out = Vec::with_capacity(buffer.len());
        let mut at = 0;
        let mut limit = decided_until(0);
        while let Some(found) = self.search.as_ref().and_then(|s| s.find(&buffer[at..])) {
            let (start, end) = (at + found.start(), at + found.end());
            // A match that starts here or later may yet lose to one that starts earlier or is longer.
            if start >= limit {
                break;
            }
            out.extend_from_slice(&buffer[at..start]);
            out.extend_from_slice(MASK);
            at = end;
            limit = decided_until(at);
        }
        out.extend_from_slice(&buffer[at..limit]);
        (out, limit)
    }

    /// Returns the first place from which the rest of the buffer is the beginning of a pattern.
    fn decided_until(&self, buffer: &[u8], from: usize) -> usize {
        let first = buffer
            .len()
            .saturating_sub(self.max_pattern_bytes.saturating_sub(1))
            .max(from);
        (first..buffer.len())
            .find(|at| self.begins_a_pattern(&buffer[*at..]))
            .unwrap_or(buffer.len())
    }

    fn begins_a_pattern(&self, tail: &[u8]) -> bool {
        let at = self.patterns.partition_point(|p| p.as_slice() <= tail);
        self.patterns.get(at).is_some_and(|p| p.starts_with(tail))
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    fn masked(values: &[&str], pieces: &[&[u8]]) -> String {
        let mut masker = Masker::new(values.iter().copied());
        let mut out = Vec::new();
        for piece in pieces {
            out.extend(masker.push(piece));
        }
        out.extend(masker.finish());
        String::from_utf8(out).expect("is text")
    }

    #[test]
    fn values_their_lines_and_their_base64_are_masked() {
        assert_eq!(masked(&["hunter22"], &[b"key=hunter22\n"]), "key=***\n");
        let encoded = format!(
            "b64 {} end",
            base64::engine::general_purpose::STANDARD.encode("hunter22")
        );
        assert!(!masked(&["hunter22"], &[encoded.as_bytes()]).contains("aHVudGVy"));
        assert_eq!(
            masked(&["line one\nline two"], &[b"line two|line one"]),
            "***|***"
        );
        assert_eq!(masked(&["abc"], &[b"abc is too short"]), "abc is too short");
        assert_eq!(masked(&[], &[b"nothing ", b"to mask"]), "nothing to mask");
    }

    #[test]
    fn a_value_that_is_cut_is_masked() {
        assert_eq!(
            masked(&["hunter22"], &[b"x hun", b"ter", b"22 y"]),
            "x *** y"
        );
        assert_eq!(masked(&["hunter22"], &[b"hunt", b"ed"]), "hunted");
        assert_eq!(masked(&["abcd", "abcdef"], &[b"abcd", b"ef"]), "***");
    }

    #[test]
    fn only_the_beginning_of_a_secret_is_held_back() {
        let mut masker = Masker::new(["hunter22"]);
        assert_eq!(masker.push(b"a line\nhu"), b"a line\n");
        assert_eq!(masker.push(b"m\n"), b"hum\n");
    }

    #[test]
    fn the_result_does_not_depend_on_the_cuts() {
        let mut random = StdRng::seed_from_u64(7);
        let values = ["aaab", "abab", "babaab", "bbbb\naabb"];
        for _ in 0..300 {
            let text: Vec<u8> = (0..60)
                .map(|_| b"ab\n"[random.random_range(0..3)])
                .collect();
            let whole = masked(&values, &[&text]);
            let mut pieces = Vec::new();
            let mut rest = text.as_slice();
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(random.random_range(1..=rest.len().min(9)));
                pieces.push(piece);
                rest = more;
            }
            assert_eq!(masked(&values, &pieces), whole);
        }
    }
}
