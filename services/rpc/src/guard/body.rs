//! The bodies of guarded calls: that of the response is observed to its end and can be cut short; the request of a
//! stream then ends too.
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderMap;
use hyper::body::{Body as HttpBody, Frame};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status, body::Body};

use super::observe::Observation;
use crate::status;

/// When a stream must end although its handler goes on, and what then ends its request.
pub(super) struct Ending {
    pub(super) when: BoxFuture<'static, Status>,
    pub(super) stop: CancellationToken,
}

/// A response under way.
pub(super) struct GuardedBody {
    inner: Option<Body>,
    observation: Observation,
    ending: Option<Ending>,
}

impl GuardedBody {
    /// `inner` until it ends or `ending` says so.
    pub(super) fn new(inner: Body, observation: Observation, ending: Option<Ending>) -> Self {
        Self {
            inner: Some(inner),
            observation,
            ending,
        }
    }

    /// Returns the last frame, with this status, and drops the handler's side.
    fn cut(&mut self, status: &Status) -> Frame<Bytes> {
        self.inner = None;
        if let Some(ending) = self.ending.take() {
            ending.stop.cancel();
        }
        self.observation.end(status.code());
        let mut trailers = HeaderMap::new();
        // This fails only for a message that is no header value, and percent-encoding makes every message one.
        if status.add_header(&mut trailers).is_err() {
            trailers.insert(Status::GRPC_STATUS, http::HeaderValue::from_static("2"));
        }
        Frame::trailers(trailers)
    }
}

impl HttpBody for GuardedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let span = this.observation.span();
        let _entered = span.enter();
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        if let Some(ending) = &mut this.ending
            && let Poll::Ready(status) = ending.when.as_mut().poll(cx)
        {
            return Poll::Ready(Some(Ok(this.cut(&status))));
        }
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(cx)));
        let Ok(mut polled) = polled else {
            let status = status::internal(&"a stream panicked");
            return Poll::Ready(Some(Ok(this.cut(&status))));
        };
        match &mut polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    status::shorten(trailers);
                    if let Some(status) = trailers.get(Status::GRPC_STATUS) {
                        this.observation.end(Code::from_bytes(status.as_bytes()));
                    }
                }
            }
            Poll::Ready(Some(Err(status))) => this.observation.end(status.code()),
            Poll::Ready(None) => this.observation.end(Code::Ok),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

/// What gRPC puts in front of each message.
const FRAME_HEADER_BYTES: usize = 5;

/// A request with a message of so many bytes at most. A larger one ends with an error before it is in memory.
pub(super) struct BoundedBody {
    inner: Body,
    left: usize,
}

impl BoundedBody {
    pub(super) fn new(inner: Body, max_message_bytes: usize) -> Self {
        Self {
            inner,
            left: max_message_bytes + FRAME_HEADER_BYTES,
        }
    }
}

impl HttpBody for BoundedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            let Some(left) = self.left.checked_sub(bytes) else {
                let status = status::invalid("request", "it is too large");
                return Poll::Ready(Some(Err(status)));
            };
            self.left = left;
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

/// The request of a stream, which ends with an error once the call was ended.
pub(super) struct StoppableBody {
    inner: Body,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl StoppableBody {
    pub(super) fn new(inner: Body, stop: CancellationToken) -> Self {
        Self {
            inner,
            stopped: Box::pin(stop.cancelled_owned()),
        }
    }
}

impl HttpBody for StoppableBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(Status::cancelled("the call was ended"))));
        }
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}
