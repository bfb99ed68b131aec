//! Masks the values of secrets in texts, and in a stream of bytes, wherever the stream is cut.
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use super::secret_forms::forms;

/// What replaces a value.
const MASK: &[u8] = b"***";

/// Knows the secrets of a run. Clones share what they know.
#[derive(Clone, Default)]
pub(crate) struct Mask(Arc<Patterns>);

#[derive(Default)]
struct Patterns {
    search: Option<AhoCorasick>,
    /// Sorted, so that a binary search tells whether the end of the buffer begins one of them.
    sorted: Vec<Vec<u8>>,
    max_bytes: usize,
}

impl Mask {
    /// Returns a mask for these values, in all forms in which they are looked for.
    pub(crate) fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut sorted: Vec<Vec<u8>> = values.into_iter().flat_map(forms).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&sorted);
        if let Err(error) = &search {
            // Values are bounded far below what the automaton can hold.
            tracing::error!(%error, "the search for secrets cannot be built");
        }
        Self(Arc::new(Patterns {
            max_bytes: sorted.iter().map(Vec::len).max().unwrap_or(0),
            search: search.ok().filter(|_| !sorted.is_empty()),
            sorted,
        }))
    }

    /// Masks a whole text.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut masker = self.stream();
        let mut masked = masker.push(text.as_bytes());
        masked.extend(masker.finish());
        // A secret is UTF-8, and so is what is left around it, unless an encoded form was cut.
        String::from_utf8_lossy(&masked).into_owned()
    }

    /// Begins to mask a stream.
    pub(crate) fn stream(&self) -> Masker {
        Masker {
            mask: self.clone(),
            undecided: Vec::new(),
        }
    }
}

/// Masks one stream. The result does not depend on where the stream is cut.
pub(crate) struct Masker {
    mask: Mask,
    /// The end of the stream so far, which may yet become a secret.
    undecided: Vec<u8>,
}

impl Masker {
    /// Adds bytes to the stream. Returns the masked bytes that are certain; what may become a secret is held back.
    pub(crate) fn push(&mut self, data: &[u8]) -> Vec<u8> {
        self.undecided.extend_from_slice(data);
        let buffer = std::mem::take(&mut self.undecided);
        let (out, rest) = self.mask(&buffer, |from| self.decided_until(&buffer, from));
        self.undecided = buffer[rest..].to_vec();
        out
    }

    /// Whether nothing of the stream is held back.
    pub(crate) fn is_settled(&self) -> bool {
        self.undecided.is_empty()
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
        while let Some(found) = self
            .mask
            .0
            .search
            .as_ref()
            .and_then(|s| s.find(&buffer[at..]))
        {
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
            .saturating_sub(self.mask.0.max_bytes.saturating_sub(1))
            .max(from);
        (first..buffer.len())
            .find(|at| self.begins_a_pattern(&buffer[*at..]))
            .unwrap_or(buffer.len())
    }

    fn begins_a_pattern(&self, tail: &[u8]) -> bool {
        let patterns = &self.mask.0.sorted;
        let at = patterns.partition_point(|p| p.as_slice() <= tail);
        patterns.get(at).is_some_and(|p| p.starts_with(tail))
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    fn masked(values: &[&str], pieces: &[&[u8]]) -> String {
        let mut masker = Mask::new(values.iter().copied()).stream();
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
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, "hunter22")
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
    fn a_text_is_masked_as_a_whole() {
        let mask = Mask::new(["hunter22", "s3cret"]);
        let message = "exec: \"hunter22\": not found; s3cr";
        assert_eq!(mask.text(message), "exec: \"***\": not found; s3cr");
        assert_eq!(Mask::default().text(message), message);
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
        let mut masker = Mask::new(["hunter22"]).stream();
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
