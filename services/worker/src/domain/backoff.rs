//! Exponential backoff with jitter: each wait is random between half and all of its length, so that workers do not
//! return all at once.
use std::time::Duration;

use rand::RngExt;

/// A sequence of growing waits.
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Starts at `first` and doubles up to `max`.
    pub(crate) fn new(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            next: first,
        }
    }

    /// Returns the next wait.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.max);
        wait.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    /// Starts again at the first wait.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}
