//! Waiting for a condition; no test sleeps for a time that it guessed.
use std::{
    panic::Location,
    time::{Duration, Instant},
};

/// How long anything may take before its test has failed.
pub const PATIENCE: Duration = Duration::from_secs(25);
/// How often to look.
const LOOK: Duration = Duration::from_millis(10);

/// Looks until there is something to see.
///
/// # Panics
/// When there is nothing in time.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> impl Future<Output = T> {
    let at = Location::caller();
    async move {
        let started = Instant::now();
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "waited {PATIENCE:?} for: {what} ({at})"
            );
            tokio::time::sleep(LOOK).await;
        }
    }
}
