//! Where a call goes: by the service in its path, to this process or to a peer.
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::{body::Body, service::Routes, transport};
use tower::{Service, ServiceExt};

use super::{Peer, call};
use crate::policy::Policy;

/// The roles of other processes, by the services that they serve.
#[derive(Default)]
pub struct Remotes {
    peers: Vec<(Peer, Needed)>,
    services: HashMap<&'static str, usize>,
    policy: Option<Arc<Policy>>,
}

impl Remotes {
    /// None yet; the contract says which calls may be repeated.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Self {
        Self {
            policy: Some(policy),
            ..Self::default()
        }
    }

    /// With a peer that serves these services; whether this process is of no use without it.
    #[must_use]
    pub fn with(mut self, peer: Peer, services: &[&'static str], needed: bool) -> Self {
        let at = self.peers.len();
        self.peers.push((peer, Needed(needed)));
        self.services
            .extend(services.iter().map(|&name| (name, at)));
        self
    }

    pub(super) fn missing(&self) -> Vec<&'static str> {
        let missing = |(peer, Needed(needed)): &&(Peer, Needed)| *needed && !peer.is_up();
        let missing = self.peers.iter().filter(missing);
        missing.map(|(peer, _)| peer.role).collect()
    }

    /// Who serves the method at this path, and how it is called; none: this process.
    fn peer(&self, path: &str) -> Option<(Peer, call::Kind)> {
        // Most processes have no peers: their calls are not looked at.
        if self.peers.is_empty() {
            return None;
        }
        let service = path.split('/').nth(1).unwrap_or_default();
        let (peer, _) = self.peers.get(*self.services.get(service)?)?;
        let method = self.policy.as_ref().and_then(|policy| policy.method(path));
        let kind = method.map_or(call::Kind::Streaming, call::Kind::of);
        Some((peer.clone(), kind))
    }
}

struct Needed(bool);

/// A channel of the mesh, as one role; a clone is the same.
#[derive(Clone)]
pub struct Channel {
    memory: transport::Channel,
    remotes: Arc<Remotes>,
}

impl Channel {
    pub(super) fn new(memory: transport::Channel, remotes: Arc<Remotes>) -> Self {
        Self { memory, remotes }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = transport::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, transport::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), transport::Error>> {
        self.memory.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.remotes.peer(request.uri().path()) {
            Some((peer, kind)) => {
                Box::pin(async move { Ok(call::call(peer, kind, request).await) })
            }
            None => Box::pin(self.memory.call(request)),
        }
    }
}

/// Every service of the mesh, as one service; a clone is the same.
#[derive(Clone)]
pub struct Services {
    local: Routes,
    remotes: Arc<Remotes>,
}

impl Services {
    pub(super) fn new(local: Routes, remotes: Arc<Remotes>) -> Self {
        Self {
            local: local.prepare(),
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
        match self.remotes.peer(request.uri().path()) {
            Some((peer, kind)) => {
                Box::pin(async move { Ok(call::call(peer, kind, request).await) })
            }
            None => Box::pin(self.local.clone().oneshot(request)),
        }
    }
}
