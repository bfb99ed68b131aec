//! What somebody writes into a commit's message so that nothing runs for it, by GitHub's rules:
//! <https://docs.github.com/en/actions/how-tos/manage-workflow-runs/skip-workflow-runs>.

/// The markers, anywhere in the message.
const MARKERS: [&str; 5] = [
    "[skip ci]",
    "[ci skip]",
    "[no ci]",
    "[skip actions]",
    "[actions skip]",
];
/// The trailer, in the last paragraph of the message.
const TRAILER: (&str, &str) = ("skip-checks", "true");

/// Returns the marker that a commit's message holds.
pub(crate) fn find(message: &str) -> Option<&'static str> {
    let marker = MARKERS
        .into_iter()
        .find(|marker| contains(message.as_bytes(), marker.as_bytes()));
    marker.or_else(|| has_trailer(message).then_some("skip-checks: true"))
}

fn contains(message: &[u8], marker: &[u8]) -> bool {
    message
        .windows(marker.len())
        .any(|text| text.eq_ignore_ascii_case(marker))
}

fn has_trailer(message: &str) -> bool {
    let is_trailer = |line: &str| {
        let (key, value) = line.split_once(':').unwrap_or_default();
        let (key, value) = (key.trim(), value.trim());
        key.eq_ignore_ascii_case(TRAILER.0) && value.eq_ignore_ascii_case(TRAILER.1)
    };
    let mut lines = message.trim_end().lines().rev();
    let last: Vec<&str> = lines
        .by_ref()
        .take_while(|line| !line.trim().is_empty())
        .collect();
    // A message of one paragraph has no trailers.
    lines.next().is_some() && last.into_iter().any(is_trailer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_and_the_trailer_are_found() {
        for message in [
            "docs: typo [skip ci]",
            "[ci skip] x",
            "a\n\nb [No CI]",
            "[skip actions]",
            "x[actions skip]y",
            "Fix\n\n\nskip-checks: true",
            "Fix\r\n\r\nSigned-off-by: a\r\nskip-checks:true\r\n",
        ] {
            assert!(find(message).is_some(), "{message:?}");
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for message in [
            "",
            "skip ci",
            "[skip  ci]",
            "skip-checks: true",
            "Fix\n\nskip-checks: true\n\nMore",
            "Fix\n\nskip-checks: false",
        ] {
            assert_eq!(find(message), None, "{message:?}");
        }
    }
}
