//! Pages of lists.

/// Cuts a page out of rows of which there is one more than fits. Returns the page, and the token of the next one.
pub(super) fn cut<T>(
    mut rows: Vec<T>,
    size: i64,
    token: impl Fn(&T) -> String,
) -> (Vec<T>, String) {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if rows.len() <= size {
        return (rows, String::new());
    }
    rows.truncate(size);
    let next = rows.last().map(token).unwrap_or_default();
    (rows, next)
}
