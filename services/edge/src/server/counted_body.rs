//! The body of a response, which keeps its request under way until it ends.
use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use hyper::body::{Body as _, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::activity::RequestGuard;

/// A body of this size is written at once.
const SMALL_BODY_BYTES: u64 = 16 * 1024;

/// A body that is under way.
struct CountedBody {
    inner: Body,
    request: RequestGuard,
}

/// Keeps the request under way until the response has gone out; a small one goes at once.
pub(super) fn counted(response: Response<Body>, request: RequestGuard) -> Response<Body> {
    let exact = response.body().size_hint().exact();
    if exact.is_some_and(|bytes| bytes <= SMALL_BODY_BYTES) {
        return response;
    }
    response.map(|inner| Body::new(CountedBody { inner, request }))
}

impl hyper::body::Body for CountedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.request.sends(data.len());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
