//! The rate limit of calls without a token, by address. It is applied inside gRPC-web, so that a browser can read its
//! answer too.
use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use ck8s_rpc::{
    ClientAddress,
    policy::Policy,
    rate::{Rate, subscriber},
    status,
};
use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

/// A service with the rate limit in front.
#[derive(Clone)]
pub(crate) struct RateLimited<S> {
    inner: S,
    /// Says which methods take no token.
    policy: Arc<Policy>,
    rate: Arc<Rate<IpAddr>>,
}

impl<S> RateLimited<S> {
    pub(crate) fn new(inner: S, policy: Arc<Policy>, rate: Arc<Rate<IpAddr>>) -> Self {
        Self {
            inner,
            policy,
            rate,
        }
    }
}

impl<S> Service<Request<Body>> for RateLimited<S>
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
        let is_limited = self.policy.admits_strangers(request.uri().path());
        let client = request.extensions().get::<ClientAddress>();
        if let Some(ClientAddress(address)) = client.filter(|_| is_limited)
            && let Err(wait) = self.rate.check(subscriber(*address))
        {
            let status = status::limited("calls from this address", wait);
            return Box::pin(async move { Ok(status.into_http()) });
        }
        Box::pin(self.inner.call(request))
    }
}
