//! Text from outside, made safe for one line of a terminal.

/// Returns the text on one line, without control characters: line breaks would break the promise of one line, and
/// escape sequences a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).collect()
}
