//! Pages of lists.

/// One page of a list.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    pub items: Vec<T>,
    /// Another page follows.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// Makes a page of this size of rows that were read with one more than it holds.
    pub(crate) fn of(mut rows: Vec<T>, size: i64) -> Self {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let has_more = rows.len() > size;
        rows.truncate(size);
        Self {
            items: rows,
            has_more,
        }
    }

    /// The last item, after which the next page starts. None: no page follows.
    pub(crate) fn last(&self) -> Option<&T> {
        self.items.last().filter(|_| self.has_more)
    }
}
