//! The one layer in front of every gRPC service: finds out who calls, asks the policy, hands the `Caller` to the handler, holds
//! deadlines, turns panics into INTERNAL, ends the streams of a token that is revoked or may do something else, and observes each call.
mod body;
pub(crate) mod deadline;
mod denials;
mod observe;
mod watch;

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use ck8s_pki::Identity;
use ck8s_proto::policy::v1 as pb;
use futures::{FutureExt, future::BoxFuture};
use http::{Request, Response, header::AUTHORIZATION, request::Parts};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::Instrument;

use self::{
    body::{Ending, GuardedBody, StoppableBody},
    denials::Denials,
    observe::Observed,
    watch::Bearer,
};
use crate::{
    Caller,
    access::Access,
    caller::SignedIn,
    identify::{Identify, IdentifyError},
    mesh::MeshPeer,
    policy::{Decision, Method, Policy},
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
    denials: Arc<Denials>,
    mesh: bool,
    /// What stands behind it only hands calls on: another guard comes before the handler.
    relay: bool,
}

impl GuardLayer {
    /// A guard that enforces `policy` on whom `identity` knows.
    #[must_use]
    pub fn new(policy: Arc<Policy>, identity: Arc<dyn Identify>) -> Self {
        Self {
            policy,
            identity,
            denials: Arc::default(),
            mesh: false,
            relay: false,
        }
    }

    /// What it enforces.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.clone()
    }

    /// In front of what only hands calls on to guarded services: whether a handler asked for the caller's access is seen there.
    #[must_use]
    pub fn handing_on(mut self) -> Self {
        self.relay = true;
        self
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

/// What is left to see once the handler has answered: whether it asked what its caller may reach, and was told no.
struct Asked {
    access: Access,
    person: Option<SignedIn>,
    path: Arc<str>,
}

impl Asked {
    fn new(method: Option<&Method>, caller: &Caller) -> Self {
        Self {
            access: Access::new(caller, method.and_then(Method::project_role)),
            person: caller.person(),
            path: method.map_or_else(Arc::default, |m| m.path.clone()),
        }
    }
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
        let asked = Asked::new(method, &caller);
        parts.extensions.insert(asked.access.clone());
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
        if asked.access.was_refused() {
            self.denied(asked.person, &asked.path);
        }
        if let Some(status) = response.headers().get(Status::GRPC_STATUS) {
            observed.finish(Code::from_bytes(status.as_bytes()));
            return Ok(response.map(Body::new));
        }
        if asked.access.was_forgotten() && !self.relay {
            let forgot = format_args!(
                "the handler of {} did not ask what its caller may see",
                asked.path
            );
            return Ok(observed.refused(status::internal(&forgot)));
        }
        let ending = stop.map(|stop| Ending { when: ending, stop });
        Ok(response.map(|body| Body::new(GuardedBody::new(Body::new(body), observed, ending))))
    }

    /// A person may not do this: the audit trail hears of it.
    fn denied(&self, person: Option<SignedIn>, path: &str) {
        if let Some(person) = person {
            self.denials.tell(&self.identity, person.user_id, path);
        }
    }

    /// Who calls, if the policy lets them.
    async fn admit(&self, request: &Parts) -> Result<Identified, Status> {
        let path = request.uri.path();
        let open = self.policy.method(path).is_some_and(|m| m.open);
        let identified = self.who(request, open).await?;
        match self.policy.check(path, &identified.caller) {
            Decision::Allow => Ok(identified),
            Decision::Unauthenticated => Err(status::unauthenticated()),
            Decision::Denied => {
                let caller = &identified.caller;
                self.denied(caller.person(), path);
                Err(self.refusal(caller, path))
            }
            Decision::NotServed => Err(status::error(
                Code::Unimplemented,
                "NOT_SERVED",
                format!("{path} is not served here"),
                &[("method", path)],
            )),
        }
    }

    /// Why somebody known may not call.
    fn refusal(&self, caller: &Caller, path: &str) -> Status {
        let lacks_role =
            matches!(caller, Caller::Person { .. }) && self.policy.lists(path, pb::Caller::Person);
        match self.policy.project_role(path) {
            Some(role) if lacks_role => status::role_needed(role),
            _ => status::denied(path),
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
