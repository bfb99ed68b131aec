//! Makes valid what JSON allows and readers refuse: a half of a surrogate pair, as GitHub sends it where it has cut a
//! text in the middle of a character, and a number that is too large.

use serde::de::IgnoredAny;

/// What stands for a half of a surrogate pair: the replacement character.
const REPLACEMENT: &[u8; ESCAPE_BYTES] = b"\\ufffd";
/// The length of an escape with four digits.
const ESCAPE_BYTES: usize = 6;
/// The first halves of surrogate pairs, and the second ones.
const HIGH: std::ops::RangeInclusive<u16> = 0xd800..=0xdbff;
const LOW: std::ops::RangeInclusive<u16> = 0xdc00..=0xdfff;

/// Returns the text with replacement characters for halves of surrogate pairs, and nulls for numbers that are too
/// large; none: it has neither. Its length stays.
pub(super) fn repair(text: &[u8]) -> Option<Vec<u8>> {
    let mut repaired = text.to_vec();
    let (mut at, mut count) = (0, 0);
    while let Some(&byte) = text.get(at) {
        at = match byte {
            b'"' => repair_string(&mut repaired, at + 1, &mut count),
            b'-' | b'0'..=b'9' => repair_number(&mut repaired, at, &mut count),
            _ => at + 1,
        };
    }
    (count > 0).then_some(repaired)
}

/// Repairs a string from its first character on, and returns where it is over.
fn repair_string(text: &mut [u8], mut at: usize, count: &mut usize) -> usize {
    while let Some(&byte) = text.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => escape_bytes(text, at, count),
            _ => 1,
        };
    }
    at
}

/// Repairs the escape that begins here, and returns its length, that of a pair as a whole.
fn escape_bytes(text: &mut [u8], at: usize, count: &mut usize) -> usize {
    match unit(text, at) {
        Some(unit) if HIGH.contains(&unit) && is_low(text, at + ESCAPE_BYTES) => 2 * ESCAPE_BYTES,
        Some(unit) if HIGH.contains(&unit) || LOW.contains(&unit) => {
            text[at..at + ESCAPE_BYTES].copy_from_slice(REPLACEMENT);
            *count += 1;
            ESCAPE_BYTES
        }
        _ => 2,
    }
}

fn is_low(text: &[u8], at: usize) -> bool {
    unit(text, at).is_some_and(|unit| LOW.contains(&unit))
}

/// Returns the UTF-16 code unit of the escape that begins here; none: no such escape does.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text
        .get(at..at + ESCAPE_BYTES)?
        .strip_prefix(b"\\u")?
        .iter();
    digits.into_iter().try_fold(0_u16, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

/// Repairs a number, and returns where it is over.
fn repair_number(text: &mut [u8], at: usize, count: &mut usize) -> usize {
    const NULL: &[u8] = b"null";
    let is_part = |byte: &&u8| byte.is_ascii_digit() || b"+-.eE".contains(*byte);
    let end = at + text[at..].iter().take_while(is_part).count();
    let number = std::str::from_utf8(&text[at..end]).unwrap_or_default();
    let is_too_large = number.parse::<f64>().is_ok_and(f64::is_infinite);
    // What is no number of JSON stays wrong.
    let is_json = || serde_json::from_str::<IgnoredAny>(number).is_ok();
    if is_too_large && is_json() && end - at > NULL.len() {
        text[at..end].fill(b' ');
        text[at..at + NULL.len()].copy_from_slice(NULL);
        *count += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_pairs_and_numbers_that_are_too_large_are_replaced() {
        for (given, wanted) in [
            (r#"{"a":"x\ud83d"}"#, r#"{"a":"x\ufffd"}"#),
            (r#"["\uDE00 \ud83d\ud83d"]"#, r#"["\ufffd \ufffd\ufffd"]"#),
            (r#"["\ud83d\ud83d\ude00"]"#, r#"["\ufffd\ud83d\ude00"]"#),
            ("[1e400,-9e308]", "[null ,null  ]"),
            (r#"{"\ud83d":1}"#, r#"{"\ufffd":1}"#),
        ] {
            let repaired = repair(given.as_bytes()).expect(given);
            assert_eq!(String::from_utf8_lossy(&repaired), wanted);
            assert!(serde_json::from_slice::<serde_json::Value>(&repaired).is_ok());
        }
    }

    #[test]
    fn everything_else_is_left_alone() {
        for text in [
            r#"{"a":"\ud83d\ude00","b":"\\ud83d","c":"1e400","d":-1.5e300}"#,
            r#"["\u00e9\"\ud83d"#,
            "\"\\",
            "\"\\ud8",
            "",
            "-",
            "-01e400",
        ] {
            let expected = text.ends_with(r#"\ud83d"#);
            assert_eq!(repair(text.as_bytes()).is_some(), expected, "{text}");
        }
    }
}
