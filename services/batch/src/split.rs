//! Splitting a batch by size.

/// Takes parts from the front of a batch until it is empty: as many items as `max_bytes` holds, at least one.
pub fn split_by_size<T>(
    batch: &mut Vec<T>,
    max_bytes: usize,
    size: impl Fn(&T) -> usize,
) -> impl Iterator<Item = Vec<T>> {
    std::iter::from_fn(move || {
        if batch.is_empty() {
            return None;
        }
        let mut bytes = 0_usize;
        let fitting = batch.iter().take_while(|item| {
            bytes = bytes.saturating_add(size(item));
            bytes <= max_bytes
        });
        let count = fitting.count().clamp(1, batch.len());
        Some(batch.drain(..count).collect())
    })
}
