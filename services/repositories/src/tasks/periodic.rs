//! Rounds of a task, at once and then periodically, until shutdown.
use std::{fmt::Debug, future::Future, time::Duration};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// Runs a round at once, and another one `interval` after the end of the one before.
pub(super) async fn periodic<T, F>(
    task: &'static str,
    interval: Duration,
    shutdown: CancellationToken,
    round: impl Fn() -> F,
) where
    T: Debug,
    F: Future<Output = Result<T, Error>>,
{
    let rounds = async {
        loop {
            match round().await {
                Ok(outcome) => tracing::debug!(task, ?outcome, "a round ended"),
                Err(error) => tracing::warn!(task, %error, "a round failed"),
            }
            sleep(interval).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        () = shutdown.cancelled() => {}
    }
}
