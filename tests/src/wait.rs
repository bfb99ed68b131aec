//! Waits for a condition, so that no test sleeps for a guessed time.
use std::{
    panic::Location,
    time::{Duration, Instant},
};

/// Bounds every wait: a condition that does not hold by then fails its test, on a busy machine too.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(25);
/// How often the condition is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Calls `look` until it returns something, and returns that.
///
/// # Panics
/// The time is over.
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
                started.elapsed() < WAIT_TIMEOUT,
                "waited {WAIT_TIMEOUT:?} for: {what} ({at})"
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}
