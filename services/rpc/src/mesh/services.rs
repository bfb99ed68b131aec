//! All services of the mesh as one: a call goes to this process or to a peer, by the service in its path.
use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::{Status, body::Body};
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

use super::{GrpcService, Remotes, call};

type Boxed = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Every service of the mesh, as one service; a clone is the same.
#[derive(Clone)]
pub struct Services {
    local: Boxed,
    remote: Boxed,
    remotes: Arc<Remotes>,
}

impl Services {
    pub(super) fn new(
        local: impl GrpcService,
        remote: impl GrpcService,
        remotes: Arc<Remotes>,
    ) -> Self {
        Self {
            local: BoxCloneSyncService::new(local),
            remote: BoxCloneSyncService::new(remote),
            remotes,
        }
    }
}

impl Service<Request<Body>> for Services {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = match self.remotes.peer(request.uri().path()) {
            Some(_) => &self.remote,
            None => &self.local,
        };
        Box::pin(service.clone().oneshot(request))
    }
}

/// Hands calls on to the peers that serve them.
#[derive(Clone)]
pub struct Forward {
    remotes: Arc<Remotes>,
}

impl Forward {
    pub(super) fn new(remotes: Arc<Remotes>) -> Self {
        Self { remotes }
    }
}

impl Service<Request<Body>> for Forward {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        let plan = self.remotes.call_plan(path);
        let Some(peer) = self.remotes.peer(path).cloned() else {
            let status = Status::unimplemented("no peer serves this");
            return Box::pin(std::future::ready(Ok(status.into_http())));
        };
        Box::pin(async move { Ok(call::call(peer, plan, request).await) })
    }
}
