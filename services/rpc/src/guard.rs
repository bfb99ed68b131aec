//! The one layer in front of every gRPC service: finds out who calls, asks the policy, hands the `Caller` to the handler, holds
//! deadlines, turns panics into INTERNAL, ends the streams of a revoked token, and observes each call.
mod body;
pub(crate) mod deadline;
mod observe;
mod watch;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use ck8s_pki::Identity;
use futures::{FutureExt, future::BoxFuture};
use http::{Request, Response, header::AUTHORIZATION, request::Parts};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::Instrument;

use self::{
    body::{Ending, GuardedBody, StoppableBody},
    observe::Observed,
    watch::Bearer,
};
use crate::{
    Caller,
    identify::{Identify, IdentifyError},
    mesh::MeshPeer,
    policy::{Decision, Policy},
    status,
};

/// The one role that strangers and people reach.
const EDGE: &str = "edge";

/// Puts the guard in front of a gRPC service; inside tonic-web where there is one. Believes the bearer token and nothing else; on
/// the mesh it believes the connection, and the bearer token of a call that the edge hands on.
#[derive(Clone)]
pub struct GuardLayer {
    policy: Arc<Policy>,
    identity: Arc<dyn Identify>,
    mesh: bool,
}

impl GuardLayer {
    /// A guard that enforces `policy` on whom `identity` knows.
    #[must_use]
    pub fn new(policy: Arc<Policy>, identity: Arc<dyn Identify>) -> Self {
        Self {
            policy,
            identity,
            mesh: false,
        }
    }

    /// The guard of the mesh.
    pub(crate) fn for_mesh(mut self) -> Self {
        self.mesh = true;
        self
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard {
            inner,
            layer: self.clone(),
        }
    }
}

/// The guarded service.
#[derive(Clone)]
pub struct Guard<S> {
    inner: S,
    layer: GuardLayer,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    ReqBody: hyper::body::Body<Data = Bytes> + Send + 'static,
    ReqBody::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    ResBody: hyper::body::Body<Data = Bytes> + Send + 'static,
    ResBody::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let fresh = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, fresh);
        let layer = self.layer.clone();
        Box::pin(async move { layer.serve(ready, request.map(Body::new)).await })
    }
}

/// Who calls, and with which token if it was one.
struct Identified {
    caller: Caller,
    bearer: Option<Bearer>,
}

impl GuardLayer {
    async fn serve<S, ResBody>(
        self,
        mut inner: S,
        request: Request<Body>,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<Body>, Response = Response<ResBody>>,
        ResBody: hyper::body::Body<Data = Bytes> + Send + 'static,
        ResBody::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut parts, mut body) = request.into_parts();
        let method = self.policy.method(parts.uri.path());
        let streaming = method.is_some_and(|m| m.streaming);
        let observed = Observed::start(method.map(|m| m.path.clone()));
        let Identified { caller, bearer } = match self.admit(&parts).await {
            Ok(identified) => identified,
            Err(status) => return Ok(observed.refused(status)),
        };
        let observed = observed.admitted(&caller);
        let watch = bearer
            .filter(|_| streaming)
            .map(|bearer| watch::Watch::new(self.identity.clone(), bearer, caller.clone()));
        let limit = deadline::of(&parts.headers, streaming);
        let mut ending = watch::ending(limit, watch);

        parts.extensions.insert(caller);
        let stop = streaming.then(CancellationToken::new);
        if let Some(stop) = &stop {
            body = Body::new(StoppableBody::new(body, stop.clone()));
        }
        let request = Request::from_parts(parts, body);
        let span = observed.span();
        let handled = AssertUnwindSafe(async move { inner.call(request).await }).catch_unwind();
        let response = tokio::select! {
            biased;
            handled = handled.instrument(span) => match handled {
                Ok(response) => response?,
                Err(panic) => return Ok(observed.refused(panicked(&*panic))),
            },
            status = &mut ending => return Ok(observed.refused(status)),
        };
        if let Some(status) = response.headers().get(Status::GRPC_STATUS) {
            observed.finish(Code::from_bytes(status.as_bytes()));
            return Ok(response.map(Body::new));
        }
        let ending = stop.map(|stop| Ending { when: ending, stop });
        Ok(response.map(|body| Body::new(GuardedBody::new(Body::new(body), observed, ending))))
    }

    /// Who calls, if the policy lets them.
    async fn admit(&self, request: &Parts) -> Result<Identified, Status> {
        let path = request.uri.path();
        let open = self.policy.method(path).is_some_and(|m| m.open);
        let identified = self.who(request, open).await?;
        match self.policy.check(path, &identified.caller) {
            Decision::Allow => Ok(identified),
            Decision::Unauthenticated => Err(status::unauthenticated()),
            Decision::Denied => Err(status::denied(path)),
            Decision::NotServed => Err(status::error(
                Code::Unimplemented,
                "NOT_SERVED",
                format!("{path} is not served here"),
                &[("method", path)],
            )),
        }
    }

    /// As whom a peer calls: of its roles the first that may. What strangers may, the edge hands on for them.
    fn peer(&self, peer: &Identity, path: &str) -> Caller {
        let roles = match peer {
            Identity::Worker(id) => {
                return Caller::Worker {
                    name: id.to_string(),
                    certified: Some(id.clone()),
                };
            }
            Identity::Roles(roles) => roles,
        };
        let stranger = peer.has_role(EDGE).then_some(Caller::Anonymous);
        let service = |role: &String| Caller::Service { role: role.clone() };
        let mut callers = roles.iter().map(service).chain(stranger);
        callers
            .find(|caller| self.policy.check(path, caller) == Decision::Allow)
            .or_else(|| roles.first().map(service))
            .unwrap_or(Caller::Anonymous)
    }

    async fn who(&self, request: &Parts, open: bool) -> Result<Identified, Status> {
        let nobody = || Identified {
            caller: Caller::Anonymous,
            bearer: None,
        };
        if self.mesh {
            let Some(MeshPeer(peer)) = request.extensions.get::<MeshPeer>() else {
                return Ok(nobody());
            };
            // Only the edge speaks for others, and only with their own token, which is asked about here and not believed of it.
            let handed_on = peer.has_role(EDGE) && request.headers.contains_key(AUTHORIZATION);
            if !handed_on {
                return Ok(Identified {
                    caller: self.peer(peer, request.uri.path()),
                    bearer: None,
                });
            }
        }
        if open || !request.headers.contains_key(AUTHORIZATION) {
            return Ok(nobody());
        }
        let bearer = Bearer::of(&request.headers).ok_or_else(status::unauthenticated)?;
        match self.identity.identify(bearer.expose()).await {
            Ok(caller) => Ok(Identified {
                caller,
                bearer: Some(bearer),
            }),
            Err(IdentifyError::Unknown) => Err(status::unauthenticated()),
            Err(cause @ IdentifyError::Unavailable) => {
                Err(status::unavailable("authentication", &cause))
            }
        }
    }
}

/// The status of a handler that panicked; what it said is logged.
fn panicked(panic: &(dyn std::any::Any + Send)) -> Status {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    status::internal(&format_args!("a handler panicked: {said}"))
}

#[cfg(test)]
#[path = "guard/tests.rs"]
mod tests;
