//! A client's channel: each call goes to this process or to a peer, and has a deadline.
use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::{TimeoutExpired, body::Body, transport};
use tower::Service;

use super::{
    Remotes,
    call::{self, CallKind},
};
use crate::deadline;

/// How long a call between roles may take that says nothing else: people wait for what hangs on it.
const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// A channel of the mesh, as one role; a clone is the same.
///
/// A call that sets no timeout of its own gets the channel's: eight seconds, unless [`Channel::with_timeout`] says
/// something else. A stream gets none.
#[derive(Clone)]
pub struct Channel {
    memory: transport::Channel,
    remotes: Arc<Remotes>,
    timeout: Duration,
}

impl Channel {
    pub(super) fn new(memory: transport::Channel, remotes: Arc<Remotes>) -> Self {
        Self {
            memory,
            remotes,
            timeout: DEFAULT_CALL_TIMEOUT,
        }
    }

    /// The same channel, for calls that may take so long.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = transport::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, transport::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), transport::Error>> {
        self.memory.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        let (peer, plan) = (
            self.remotes.peer(path).cloned(),
            self.remotes.call_plan(path),
        );
        if plan.kind != CallKind::Streaming {
            deadline::set_default(request.headers_mut(), self.timeout);
        }
        if let Some(peer) = peer {
            return Box::pin(async move { Ok(call::call(peer, plan, request).await) });
        }
        let limit = deadline::of_client(request.headers());
        let calling = self.memory.call(request);
        let Some(limit) = limit else {
            return Box::pin(calling);
        };
        Box::pin(async move {
            // The other end holds the deadline too. This one holds for a mesh that is not served, or stands still.
            // tonic holds it as well, and its error, which comes first now and then, would end as CANCELLED.
            match tokio::time::timeout(limit, calling).await {
                Ok(Err(error)) if is_timeout(&error) => Ok(deadline::exceeded().into_http()),
                Ok(response) => response,
                Err(_) => Ok(deadline::exceeded().into_http()),
            }
        })
    }
}

/// Whether tonic ended a call at its deadline.
fn is_timeout(error: &transport::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<TimeoutExpired>())
}
