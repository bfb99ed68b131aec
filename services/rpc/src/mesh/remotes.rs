//! The roles of other processes, by the services that they serve.
use std::{collections::HashMap, sync::Arc};

use super::{
    Peer,
    call::{CallKind, CallPlan},
    http2::MAX_MESSAGE_BYTES,
};
use crate::policy::Policy;

/// Whether this process is of use without a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Requirement {
    /// It is not.
    Required,
    /// It is.
    Optional,
}

/// The roles of other processes.
#[derive(Default)]
pub struct Remotes {
    peers: Vec<(Peer, Requirement)>,
    /// Places in `peers`.
    services: HashMap<&'static str, usize>,
    policy: Option<Arc<Policy>>,
}

impl Remotes {
    /// None yet. The policy says which methods may be repeated, and which are streams.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Self {
        Self {
            policy: Some(policy),
            ..Self::default()
        }
    }

    /// With a peer that serves these services.
    #[must_use]
    pub fn with(mut self, peer: Peer, services: &[&'static str], requirement: Requirement) -> Self {
        let place = self.peers.len();
        self.peers.push((peer, requirement));
        self.services
            .extend(services.iter().map(|&name| (name, place)));
        self
    }

    pub(super) fn missing(&self) -> Vec<&'static str> {
        self.peers
            .iter()
            .filter(|(peer, requirement)| *requirement == Requirement::Required && !peer.is_up())
            .map(|(peer, _)| peer.role)
            .collect()
    }

    /// The peer that serves the method at this path. None: this process serves it.
    pub(super) fn peer(&self, path: &str) -> Option<&Peer> {
        // Most processes have no peers: their calls are not looked at.
        if self.peers.is_empty() {
            return None;
        }
        let service = path.split('/').nth(1).unwrap_or_default();
        let (peer, _) = self.peers.get(*self.services.get(service)?)?;
        Some(peer)
    }

    /// How the method at this path is called. What is not known is taken for a stream: it gets no deadline and is not
    /// repeated.
    pub(super) fn call_kind(&self, path: &str) -> CallKind {
        let method = self.policy.as_ref().and_then(|policy| policy.method(path));
        method.map_or(CallKind::Streaming, CallKind::of)
    }

    /// How the method at this path is called, and how large its message may be: small where strangers may call it.
    pub(super) fn call_plan(&self, path: &str) -> CallPlan {
        let policy = self.policy.as_ref();
        let bound = policy.and_then(|policy| policy.max_message_bytes(path));
        CallPlan {
            kind: self.call_kind(path),
            max_message_bytes: bound.unwrap_or(MAX_MESSAGE_BYTES),
        }
    }
}
