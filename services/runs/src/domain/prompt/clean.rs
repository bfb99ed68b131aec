//! Texts by others: what nobody sees on the page is taken out, and the rest is marked as data.

/// Returns a text without what a reader of the page does not see: comments of HTML, characters without width or that
/// turn the direction of text, control characters, the alternative texts of images.
pub(super) fn visible(text: &str) -> String {
    let text = without_comments(text);
    let text: String = text.chars().filter(|c| !is_hidden(*c)).collect();
    without_alternative_texts(&text)
}

/// Returns a text of somebody, cleaned, cut to `max_bytes`, between marks that it cannot imitate.
pub(super) fn as_data(author: &str, text: &str, max_bytes: usize) -> String {
    let text = visible(text);
    let end = text.floor_char_boundary(max_bytes);
    let cut = if end < text.len() { "\n[cut]" } else { "" };
    let lines = text[..end].trim().lines().map(|line| {
        // A line that looks like a mark of ours is moved in.
        if line.starts_with("<<<") || line.starts_with(">>>") {
            format!(" {line}\n")
        } else {
            format!("{line}\n")
        }
    });
    let lines: String = lines.collect();
    let author: String = visible(author)
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    format!("<<< {author} wrote:\n{}{cut}\n>>>", lines.trim_end())
}

fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("<!--") {
        kept.push_str(&rest[..start]);
        // A comment without an end hides the rest, as it does on the page.
        rest = match rest[start..].find("-->") {
            Some(end) => &rest[start + end + 3..],
            None => "",
        };
    }
    kept.push_str(rest);
    kept
}

/// Whether a character shows nothing: it may carry words that only a machine reads.
fn is_hidden(c: char) -> bool {
    let is_control = c.is_control() && !matches!(c, '\n' | '\t');
    is_control
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Turns `![words](address)` into `![](address)`.
fn without_alternative_texts(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("![") {
        let (before, image) = rest.split_at(start + 2);
        kept.push_str(before);
        rest = match image.find("](") {
            Some(end) if !image[..end].contains('\n') => &image[end..],
            _ => image,
        };
    }
    kept.push_str(rest);
    kept
}
