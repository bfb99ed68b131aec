//! How the reasons of matching quote values.

/// Bounds how many values a reason quotes.
const MAX_QUOTED_VALUES: usize = 5;

/// Quotes one value.
pub(crate) fn quoted(text: &str) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        format!("{text:?}")
    }
}

/// Quotes the values as alternatives.
pub(crate) fn any_of(texts: &[String]) -> String {
    let mut words: Vec<String> = texts
        .iter()
        .take(MAX_QUOTED_VALUES)
        .map(|text| format!("{text:?}"))
        .collect();
    if texts.len() > MAX_QUOTED_VALUES {
        words.push(format!("{} more", texts.len() - MAX_QUOTED_VALUES));
    }
    words.join(" or ")
}
