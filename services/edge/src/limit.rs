//! How often an address may call the methods that ask nobody who they are. It stands inside gRPC-web, so that everybody reads its answer.
use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use ck8s_rpc::{
    policy::Policy,
    rate::{Rate, subscriber},
    status,
};
use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From(pub IpAddr);

/// A service with the limit in front.
#[derive(Clone)]
pub(crate) struct Limited<S> {
    inner: S,
    /// Says which methods those are.
    policy: Arc<Policy>,
    rate: Arc<Rate<IpAddr>>,
}

impl<S> Limited<S> {
    pub(crate) fn new(inner: S, policy: Arc<Policy>, rate: Arc<Rate<IpAddr>>) -> Self {
        Self {
            inner,
            policy,
            rate,
        }
    }
}

impl<S> Service<Request<Body>> for Limited<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let limited = self.policy.admits_strangers(request.uri().path());
        let from = request.extensions().get::<From>().filter(|_| limited);
        if let Some(From(address)) = from
            && let Err(wait) = self.rate.take(subscriber(*address), Instant::now())
        {
            let status = status::limited("calls from this address", wait);
            return Box::pin(async move { Ok(status.into_http()) });
        }
        Box::pin(self.inner.call(request))
    }
}
