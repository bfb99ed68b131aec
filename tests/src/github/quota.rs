//! The hourly quotas and the current writes of tokens.
use std::collections::HashMap;

/// The quotas and the current writes, by token.
#[derive(Default)]
pub(crate) struct Quotas {
    pub(super) by_token: HashMap<String, Quota>,
    /// The number of current writes, by token.
    pub(super) writes: HashMap<String, usize>,
}

/// The quota of one token.
#[derive(Clone, Copy)]
pub(crate) struct Quota {
    pub(super) remaining: i64,
    pub(super) resets_at: i64,
}
