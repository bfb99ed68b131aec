//! Text from outside, made safe for a terminal: nothing in it moves the cursor, changes colors, or shows letters in
//! another order than they have.

/// Returns the text on one line, without control characters: line breaks would break the promise of one line, and
/// escape sequences a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !steers_terminal(*c)).collect()
}

/// Returns the text with its lines, and without control characters.
pub(crate) fn lines(text: &str) -> String {
    let is_kept = |c: &char| matches!(c, '\n' | '\t') || !steers_terminal(*c);
    text.chars().filter(is_kept).collect()
}

/// Returns JSON in which characters that could steer a terminal are escaped. The serializer has escaped those of ASCII,
/// and the others can be in strings only.
pub(crate) fn escaped_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && steers_terminal(c) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Returns whether a text has more than lines of printable characters and tabs.
pub(crate) fn has_controls(text: &str) -> bool {
    text.chars()
        .any(|c| !matches!(c, '\n' | '\t') && steers_terminal(c))
}

/// Returns whether a character is a control: of ASCII, of its 8-bit extension (of which a terminal may take U+009B for
/// the start of an escape sequence), or of the direction of text (Unicode's property Bidi_Control, and the deprecated
/// controls beside it).
pub(crate) fn steers_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An escape sequence, a carriage return, a CSI of eight bits, and two controls of the direction.
    const HOSTILE: &str = "a\u{1b}[2Jb\rc\u{9b}31m\u{202e}d\u{2066}e";

    #[test]
    fn one_line_has_no_controls() {
        assert_eq!(one_line(HOSTILE), "a[2Jb c31mde");
        assert_eq!(one_line("a\u{2028}b\u{85}c\n\td"), "a b c d");
        assert_eq!(one_line("שלום 👩‍🚀 é"), "שלום 👩‍🚀 é");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(lines("a\n\tb\u{1b}[0m\u{202e}\r\n"), "a\n\tb[0m\n");
    }

    #[test]
    fn escaped_json_is_the_same_json() {
        let value = serde_json::json!({ "title": HOSTILE, "plain": "é" });
        let text = escaped_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!has_controls(&text), "{text}");
        assert!(text.contains("\\u202e") && text.contains("é"), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, value);
    }
}
