//! Work that goes on when its caller goes away.
use std::future::Future;

use crate::error::Error;

/// Runs a change at the provider to its end, whether or not anybody waits for it.
pub(super) async fn run_in_background<T: Send + 'static>(
    change: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    let joined = tokio::spawn(change).await;
    joined.unwrap_or_else(|panic| Err(Error::internal(&panic)))
}
