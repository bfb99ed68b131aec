//! The forms in which the value of a secret may stand in a text: as it is, by line, and as programs encode it.
use std::collections::BTreeSet;

use base64::{
    Engine,
    engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use ck8s_types::MIN_MASKED_SECRET_BYTES;

/// Bounds the values of which every encoding is looked for. Larger ones are files rather than tokens: of those, lines
/// and base64.
const MAX_ENCODED_BYTES: usize = 8 * 1024;
/// The lengths at which programs wrap base64: MIME's, and PEM's.
const BASE64_LINE_LENGTHS: [usize; 2] = [76, 64];
/// What programs leave as it is when they encode for a URL, besides letters, digits and `-_.`: the strict ones, those
/// that keep paths, and JavaScript's.
const URL_SAFE_CHARACTERS: [&str; 3] = ["~", "~/", "~!*'()"];

/// Returns all forms of a value that are long enough to be masked.
pub(super) fn forms(value: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    add_encodings(value, &mut forms);
    add_encodings(value.trim(), &mut forms);
    for line in value.lines() {
        forms.insert(line.trim().as_bytes().to_vec());
    }
    forms.retain(|form| form.len() >= MIN_MASKED_SECRET_BYTES);
    forms
}

fn add_encodings(value: &str, forms: &mut BTreeSet<Vec<u8>>) {
    if value.trim().len() < MIN_MASKED_SECRET_BYTES {
        return;
    }
    forms.insert(value.as_bytes().to_vec());
    for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        add_base64(value.as_bytes(), &alphabet, forms);
    }
    if value.len() > MAX_ENCODED_BYTES {
        return;
    }
    for kept in URL_SAFE_CHARACTERS {
        let encoded = percent_encoded(value, kept);
        forms.insert(encoded.replace("%20", "+").into_bytes());
        forms.insert(lower_case_escapes(&encoded).into_bytes());
        forms.insert(encoded.into_bytes());
    }
    for encoded in json_forms(value) {
        forms.insert(encoded.into_bytes());
    }
}

/// Adds the base64 of a value: by itself, wrapped into lines, and behind one or two bytes of something else, as in
/// `user:value`. Of the latter, the characters that depend on what stands before and behind are left out.
fn add_base64(value: &[u8], alphabet: &GeneralPurpose, forms: &mut BTreeSet<Vec<u8>>) {
    let whole = alphabet.encode(value);
    for length in BASE64_LINE_LENGTHS {
        if whole.len() > length {
            forms.extend(whole.as_bytes().chunks(length).map(<[u8]>::to_vec));
        }
    }
    forms.insert(whole.into_bytes());
    for before in 0..3 {
        let encoded = alphabet.encode([&[0; 2][..before], value].concat());
        let first = (before * 8).div_ceil(6);
        let end = (before + value.len()) * 8 / 6;
        forms.insert(encoded.as_bytes()[first..end].to_vec());
    }
}

/// Percent-encodes everything but letters, digits, `-_.` and what is kept.
fn percent_encoded(value: &str, kept: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-_.".contains(c) || kept.contains(c) {
            encoded.push(c);
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Writes `%2F` as `%2f`.
fn lower_case_escapes(encoded: &str) -> String {
    let mut escape = 0;
    let lower = |c: char| {
        escape = if c == '%' { 3 } else { escape };
        if escape == 0 {
            return c;
        }
        escape -= 1;
        c.to_ascii_lowercase()
    };
    encoded.chars().map(lower).collect()
}

/// Returns a value as JSON writes it within quotes: as it is, with `\/` for a slash, and with escapes for all that is
/// not ASCII.
fn json_forms(value: &str) -> [String; 3] {
    let quoted = serde_json::Value::from(value).to_string();
    let plain = quoted[1..quoted.len() - 1].to_owned();
    let slashes = plain.replace('/', "\\/");
    let mut ascii = String::new();
    for c in plain.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    [plain, slashes, ascii]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(value: &str, form: &str) -> bool {
        forms(value).contains(form.as_bytes())
    }

    #[test]
    fn a_value_is_known_as_programs_encode_it() {
        let value = "p@ss w/rd\"ü";
        for form in [
            "p%40ss%20w%2Frd%22%C3%BC",
            "p%40ss%20w%2frd%22%c3%bc",
            "p%40ss+w%2Frd%22%C3%BC",
            "p%40ss%20w/rd%22%C3%BC",
            "p@ss w/rd\\\"ü",
            "p@ss w\\/rd\\\"ü",
            "p@ss w/rd\\\"\\u00fc",
        ] {
            assert!(holds(value, form), "{form}");
        }
    }

    #[test]
    fn what_is_too_short_has_no_form() {
        assert!(forms("abc").is_empty());
        assert!(forms(" ab \n").is_empty());
        assert!(holds("one\nlong line", "long line") && !holds("one\nlong line", "one"));
    }

    #[test]
    fn base64_is_known_behind_anything() {
        let value = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
        let known = forms(value);
        for before in ["", "x:", "user:", "x-access-token:"] {
            let text = STANDARD_NO_PAD.encode(format!("{before}{value}"));
            let hidden = known
                .iter()
                .filter(|form| {
                    text.as_bytes()
                        .windows(form.len())
                        .any(|w| w == form.as_slice())
                })
                .map(Vec::len)
                .max();
            assert!(hidden.is_some_and(|length| length >= 51), "{before:?}");
        }
        let long = "0123456789".repeat(12);
        let wrapped = STANDARD_NO_PAD.encode(&long);
        assert!(holds(&long, &wrapped[76..152]));
    }
}
