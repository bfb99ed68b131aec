//! How long calls of other services may take, and what their failure means here.
use std::{future::Future, time::Duration};

use tonic::{Request, Response, Status};

use crate::domain::unavailable::ServiceUnavailable;

/// Bounds every call that a webhook waits for: the edge gives up on a webhook a second later.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// Bounds the calls in which a provider pages through the deliveries of a hook, or makes them again one by one.
pub(super) const PROVIDER_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns a request that tells the service how long its answer is waited for.
pub(super) fn with_timeout<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

/// Waits for the answer to a call, for [`CALL_TIMEOUT`] at most.
pub(super) async fn answer<T>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Status> {
    let answer = tokio::time::timeout(CALL_TIMEOUT, call).await;
    let answer = answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer in time")));
    answer.map(Response::into_inner)
}

/// The repositories service answered with this status: it is unavailable.
pub(super) fn repositories_unavailable(status: &Status) -> ServiceUnavailable {
    ServiceUnavailable::repositories(format!("{:?}", status.code()))
}
