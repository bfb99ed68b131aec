//! The layer in front of every gRPC service. It finds out who calls, asks the policy, hands the `Caller` to the
//! handler, holds deadlines, turns panics into INTERNAL, ends the streams of a token that is revoked or has other
//! rights, and observes each call.
mod bearer;
mod body;
mod call_end;
mod denials;
mod message_budget;
mod observe;
mod unreadable;

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
    bearer::Bearer,
    body::{BoundedBody, Ending, GuardedBody, StoppableBody},
    denials::Denials,
    message_budget::{BudgetedBody, MessageBudget, MessageShare},
    observe::Observation,
};
use crate::{
    Caller,
    caller::{ClientAddress, SignedIn},
    deadline,
    identify::{Identify, IdentifyError},
    mesh::MeshPeer,
    policy::{Decision, Method, Policy},
    project_access::Access,
    status,
};

/// The role that strangers and people reach: it alone speaks for others.
const EDGE: &str = "edge";

/// Where a guard stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Position {
    /// On the mesh, before handlers. It believes the connection, and the bearer token of a call that the edge hands on.
    Mesh,
    /// Behind a listener that strangers reach, before handlers. It believes the bearer token and nothing else.
    Public,
    /// Behind a listener that strangers reach, before what hands calls on to another process: a guard there comes
    /// before the handler.
    Relay,
}

/// Puts the guard in front of a gRPC service; inside tonic-web where there is one.
#[derive(Clone)]
pub struct GuardLayer {
    policy: Arc<Policy>,
    identity: Arc<dyn Identify>,
    denials: Arc<Denials>,
    messages: MessageBudget,
    position: Position,
}

impl GuardLayer {
    /// A guard of the mesh, which enforces `policy` on whom `identity` knows.
    #[must_use]
    pub fn new(policy: Arc<Policy>, identity: Arc<dyn Identify>) -> Self {
        Self {
            policy,
            identity,
            denials: Arc::default(),
            messages: MessageBudget::of_memory(0),
            position: Position::Mesh,
        }
    }

    /// The same guard in a process that may use so much memory: a part of it is for the messages of all calls.
    #[must_use]
    pub fn with_memory(self, memory_bytes: u64) -> Self {
        let messages = MessageBudget::of_memory(memory_bytes);
        Self { messages, ..self }
    }

    /// The same guard behind a listener that strangers reach, before the services of this process.
    #[must_use]
    pub fn public(&self) -> Self {
        self.at(Position::Public)
    }

    /// The same guard behind a listener that strangers reach, before what hands calls on to other processes. Whether a
    /// handler checked the caller's access is seen there.
    #[must_use]
    pub fn relay(&self) -> Self {
        self.at(Position::Relay)
    }

    /// Returns the policy that it enforces.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.clone()
    }

    fn at(&self, position: Position) -> Self {
        Self {
            position,
            ..self.clone()
        }
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

/// Who calls, and the bearer token that said so, if any.
struct Identified {
    caller: Caller,
    bearer: Option<Bearer>,
}

/// What the guard looks at once the handler has answered: whether it checked its caller's access, and whether that was
/// refused.
struct AccessReview {
    access: Access,
    person: Option<SignedIn>,
    path: Arc<str>,
}

impl AccessReview {
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
        let (mut parts, body) = request.into_parts();
        let method = self.policy.method(parts.uri.path());
        let streaming = method.is_some_and(|m| m.streaming);
        let observation = Observation::start(method.map(|m| m.path.clone()));
        let Identified { caller, bearer } = match self.admit(&parts).await {
            Ok(identified) => identified,
            Err(status) => return Ok(observation.refused(status)),
        };
        let observation = observation.admitted(&caller);
        let watch = bearer
            .filter(|_| streaming)
            .map(|bearer| call_end::TokenWatch::new(self.identity.clone(), bearer, caller.clone()));
        let limit = deadline::of(&parts.headers, streaming);
        let mut ending = call_end::ending(limit, watch);
        let review = AccessReview::new(method, &caller);
        parts.extensions.insert(review.access.clone());
        parts.extensions.insert(caller);
        let stop = streaming.then(CancellationToken::new);
        let (body, _share) = self.bounded(parts.uri.path(), body, stop.as_ref());
        let request = Request::from_parts(parts, body);
        let span = observation.span();
        let handled = AssertUnwindSafe(async move { inner.call(request).await }).catch_unwind();
        let mut response = tokio::select! {
            biased;
            handled = handled.instrument(span) => match handled {
                Ok(response) => response?,
                Err(panic) => return Ok(observation.refused(panicked(&*panic))),
            },
            status = &mut ending => return Ok(observation.refused(status)),
        };
        if review.access.was_refused() {
            self.record_denial(review.person, &review.path);
        }
        if let Some(status) = unreadable::refusal(response.headers()) {
            return Ok(observation.refused(status));
        }
        if let Some(status) = response.headers().get(Status::GRPC_STATUS) {
            let code = Code::from_bytes(status.as_bytes());
            status::shorten(response.headers_mut());
            observation.finish(code);
            return Ok(response.map(Body::new));
        }
        if review.access.is_unchecked() && self.position != Position::Relay {
            return Ok(observation.refused(unchecked(&review.path)));
        }
        let ending = stop.map(|stop| Ending { when: ending, stop });
        Ok(response.map(|body| Body::new(GuardedBody::new(Body::new(body), observation, ending))))
    }

    /// Returns the body of a request as the handler may read it: not too much of it, and not after `stop`; and what it
    /// takes of the memory for messages, to be held until the handler is done.
    fn bounded(
        &self,
        path: &str,
        body: Body,
        stop: Option<&CancellationToken>,
    ) -> (Body, Arc<MessageShare>) {
        let share = self.messages.share();
        let mut body = match stop {
            None => Body::new(BudgetedBody::new(body, share.clone())),
            Some(stop) => Body::new(StoppableBody::new(body, stop.clone())),
        };
        if let Some(max) = self.policy.max_message_bytes(path) {
            body = Body::new(BoundedBody::new(body, max));
        }
        (body, share)
    }

    /// Records in the audit trail that a person may not do this.
    fn record_denial(&self, person: Option<SignedIn>, path: &str) {
        if let Some(person) = person {
            self.denials.record(&self.identity, person.user_id, path);
        }
    }

    /// Returns who calls, if the policy lets them.
    async fn admit(&self, request: &Parts) -> Result<Identified, Status> {
        let path = request.uri.path();
        let open = self.policy.method(path).is_some_and(|m| m.open);
        let identified = self.identify(request, open).await?;
        match self.policy.check(path, &identified.caller) {
            Decision::Allow => Ok(identified),
            Decision::Unauthenticated => Err(status::unauthenticated()),
            Decision::Denied => {
                let caller = &identified.caller;
                self.record_denial(caller.person(), path);
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

    /// Says why a known caller may not call.
    fn refusal(&self, caller: &Caller, path: &str) -> Status {
        let lacks_role =
            matches!(caller, Caller::Person { .. }) && self.policy.lists(path, pb::Caller::Person);
        match self.policy.project_role(path) {
            Some(role) if lacks_role => status::role_needed(role),
            _ => status::denied(path),
        }
    }

    /// Returns as whom a peer calls: the first of its roles that may. What strangers may do, the edge may hand on for
    /// them.
    fn peer_caller(&self, peer: &Identity, path: &str) -> Caller {
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

    async fn identify(&self, request: &Parts, open: bool) -> Result<Identified, Status> {
        let nobody = || Identified {
            caller: Caller::Anonymous,
            bearer: None,
        };
        if self.position == Position::Mesh {
            let Some(MeshPeer(peer)) = request.extensions.get::<MeshPeer>() else {
                return Ok(nobody());
            };
            // Only the edge speaks for others, and only with their own token, which is checked here again.
            let is_relayed = peer.has_role(EDGE) && request.headers.contains_key(AUTHORIZATION);
            if !is_relayed {
                return Ok(Identified {
                    caller: self.peer_caller(peer, request.uri.path()),
                    bearer: None,
                });
            }
        }
        if open || !request.headers.contains_key(AUTHORIZATION) {
            return Ok(nobody());
        }
        let bearer = Bearer::of(&request.headers).ok_or_else(status::unauthenticated)?;
        let from = request.extensions.get::<ClientAddress>().map(|from| from.0);
        match self.identity.identify(bearer.expose(), from).await {
            Ok(caller) => Ok(Identified {
                caller,
                bearer: Some(bearer),
            }),
            // What strangers may do, a token that has ended prevents nobody from.
            Err(IdentifyError::Unknown) if self.policy.admits_strangers(request.uri.path()) => {
                Ok(nobody())
            }
            Err(IdentifyError::Unknown) => Err(status::unauthenticated()),
            Err(cause @ IdentifyError::Unavailable) => {
                Err(status::unavailable("authentication", &cause))
            }
            Err(IdentifyError::TooMany(wait)) => Err(status::limited(
                "calls with unknown tokens from this address",
                wait,
            )),
        }
    }
}

/// Returns the status of a handler that forgot what its caller may see.
fn unchecked(path: &str) -> Status {
    status::internal(&format_args!(
        "the handler of {path} did not check what its caller may see"
    ))
}

/// Returns the status of a handler that panicked. Its message is logged, not sent.
fn panicked(panic: &(dyn std::any::Any + Send)) -> Status {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    status::internal(&format_args!("a handler panicked: {message}"))
}

#[cfg(test)]
mod tests;
