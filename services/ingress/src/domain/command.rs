//! Commands in comments: the first word, in upper or lower case, because telephones begin every text with a capital.
//! What Markdown shows as code or as a quotation is no command.
use super::text::is_same_word;

/// From this column on, Markdown takes a line for code.
const CODE_COLUMN: usize = 4;

/// Returns what follows a command in a comment; none: the comment does not begin with it.
pub(crate) fn arguments<'a>(comment: &'a str, command: &str) -> Option<&'a str> {
    let text = comment.trim_start();
    let before = &comment[..comment.len() - text.len()];
    if is_code(before.rsplit(['\n', '\r']).next().unwrap_or_default()) {
        return None;
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    is_same_word(word, command).then_some(rest)
}

/// Returns whether a line that begins like this is code. A tab reaches the next column that is a multiple of four.
fn is_code(indentation: &str) -> bool {
    indentation.contains('\t') || indentation.matches(' ').count() >= CODE_COLUMN
}
