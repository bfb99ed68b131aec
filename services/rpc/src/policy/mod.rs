//! The policy: which callers each method admits, by the options of the contract, read once at start. The guard enforces
//! it.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use ck8s_proto::policy::v1 as pb;
use ck8s_types::ProjectRole;
use prost_reflect::{DescriptorPool, ExtensionDescriptor, MethodDescriptor, Value};
use thiserror::Error;

use crate::{Caller, convert::role_from_pb};

/// Health says only whether a role serves, so anybody may call it.
const HEALTH: [(&str, bool); 2] = [
    ("/grpc.health.v1.Health/Check", false),
    ("/grpc.health.v1.Health/Watch", true),
];
/// Reflection shows the contract; every known caller may read it.
const REFLECTION: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// The largest message of a method that strangers may call: what a sign-in needs is far smaller.
const MAX_STRANGER_MESSAGE_BYTES: usize = 64 * 1024;
/// Our own packages: each of their methods must have a rule.
const OURS: &str = "ck8s.";

/// A contract that cannot be enforced; the server does not start.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// Not a descriptor set.
    #[error("the descriptor set cannot be read: {0}")]
    Unreadable(#[from] prost_reflect::DescriptorError),
    /// Without the option there are no rules.
    #[error("the descriptor set lacks the option ck8s.policy.v1.rule")]
    NoOption,
    /// A method of ours without a rule.
    #[error("{method} has no rule (ck8s.policy.v1.rule)")]
    NoRule {
        /// Its path.
        method: String,
    },
    /// A rule that contradicts itself, or is not complete.
    #[error("the rule of {method} is wrong: {problem}")]
    BadRule {
        /// Its path.
        method: String,
        /// What is wrong.
        problem: String,
    },
}

/// What the policy says about one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The caller may call it.
    Allow,
    /// The caller is anonymous; a token might help.
    Unauthenticated,
    /// The caller is known and may not call it.
    Denied,
    /// There is no such method, or none with a rule.
    NotServed,
}

/// One method as the guard sees it.
#[derive(Debug)]
pub(crate) struct Method {
    /// `/package.Service/Method`.
    pub(crate) path: Arc<str>,
    /// It streams, either way: the server gives it no deadline.
    pub(crate) streaming: bool,
    /// The caller is not identified.
    pub(crate) open: bool,
    /// It may be called again after a failure: the contract's `idempotency_level`.
    pub(crate) repeatable: bool,
    admits: Admits,
}

impl Method {
    /// The role that people need, in the project of what they touch.
    pub(crate) fn project_role(&self) -> Option<ProjectRole> {
        self.admits.project_role
    }
}

/// The callers that a rule admits.
#[derive(Debug, Default)]
struct Admits {
    kinds: HashSet<pb::Caller>,
    services: HashSet<String>,
    project_role: Option<ProjectRole>,
}

impl Admits {
    fn caller(&self, caller: &Caller) -> bool {
        match caller {
            Caller::Anonymous => self.kinds.contains(&pb::Caller::Anonymous),
            Caller::Admin { .. } => self.kinds.contains(&pb::Caller::Admin),
            // In which project, the handler asks of `access`; who has the role nowhere does not get so far.
            Caller::Person { projects, .. } => {
                self.kinds.contains(&pb::Caller::Person) && projects.most() >= self.project_role
            }
            Caller::Service { role } => {
                self.kinds.contains(&pb::Caller::Service) && self.services.contains(role)
            }
            Caller::Worker { .. } => self.kinds.contains(&pb::Caller::Worker),
            Caller::Run { .. } => self.kinds.contains(&pb::Caller::Run),
        }
    }
}

/// The rules of all methods. A method without a rule is not served.
#[derive(Debug)]
pub struct Policy {
    methods: HashMap<Arc<str>, Method>,
}

impl Policy {
    /// Reads the rules of a descriptor set.
    ///
    /// # Errors
    /// [`PolicyError`] names the method of `ck8s.*` that has no rule, or a wrong one.
    pub fn from_descriptor_set(bytes: &[u8]) -> Result<Self, PolicyError> {
        let pool = DescriptorPool::decode(bytes)?;
        let option = pool
            .get_extension_by_name("ck8s.policy.v1.rule")
            .ok_or(PolicyError::NoOption)?;
        let mut methods = HashMap::new();
        for method in pool
            .services()
            .flat_map(|s| s.methods().collect::<Vec<_>>())
        {
            let path = path_of(&method);
            let Some(rule) = rule_of(&method, &option, &path)? else {
                if method.parent_service().full_name().starts_with(OURS) {
                    return Err(PolicyError::NoRule { method: path });
                }
                continue;
            };
            let streaming = method.is_client_streaming() || method.is_server_streaming();
            let read = Method {
                path: path.as_str().into(),
                streaming,
                open: false,
                repeatable: is_repeatable(&method),
                admits: admits(&path, &rule)?,
            };
            methods.insert(read.path.clone(), read);
        }
        for (path, streaming) in HEALTH {
            insert(&mut methods, path, streaming, true, everybody());
        }
        for path in REFLECTION {
            insert(&mut methods, path, true, false, Admits::default());
        }
        Ok(Self { methods })
    }

    /// Whether `caller` may call the method at `grpc_path` (`/package.Service/Method`).
    #[must_use]
    pub fn check(&self, grpc_path: &str, caller: &Caller) -> Decision {
        let known = *caller != Caller::Anonymous;
        match self.method(grpc_path) {
            Some(m) if m.open || m.admits.caller(caller) => Decision::Allow,
            Some(m) if known && REFLECTION.contains(&&*m.path) => Decision::Allow,
            _ if !known => Decision::Unauthenticated,
            Some(_) => Decision::Denied,
            None => Decision::NotServed,
        }
    }

    /// The role that a person needs in the project that the request names; none where people may not call.
    #[must_use]
    pub fn project_role(&self, grpc_path: &str) -> Option<ProjectRole> {
        self.method(grpc_path)?.admits.project_role
    }

    /// Whether strangers may call the method. Health, which probes call, does not count.
    #[must_use]
    pub fn admits_strangers(&self, grpc_path: &str) -> bool {
        self.lists(grpc_path, pb::Caller::Anonymous)
            && self.method(grpc_path).is_some_and(|m| !m.open)
    }

    /// Bounds the message of a method that strangers, or probes without a token, may call: nobody has looked at who
    /// calls. None: the method has no bound of its own.
    pub(crate) fn max_message_bytes(&self, grpc_path: &str) -> Option<usize> {
        let is_open = self.method(grpc_path).is_some_and(|m| m.open);
        let is_small = is_open || self.lists(grpc_path, pb::Caller::Anonymous);
        is_small.then_some(MAX_STRANGER_MESSAGE_BYTES)
    }

    /// Whether the rule names this kind of caller, whatever else it asks of them.
    #[must_use]
    pub fn lists(&self, grpc_path: &str, kind: pb::Caller) -> bool {
        let method = self.method(grpc_path);
        method.is_some_and(|m| m.admits.kinds.contains(&kind))
    }

    /// The paths of all methods that are served.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.methods.keys().map(|path| &**path)
    }

    pub(crate) fn method(&self, grpc_path: &str) -> Option<&Method> {
        self.methods.get(grpc_path)
    }
}

fn path_of(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

fn is_repeatable(method: &MethodDescriptor) -> bool {
    use prost_reflect::prost_types::method_options::IdempotencyLevel;
    let options = &method.method_descriptor_proto().options;
    options
        .as_ref()
        .is_some_and(|o| o.idempotency_level() != IdempotencyLevel::IdempotencyUnknown)
}

fn rule_of(
    method: &MethodDescriptor,
    option: &ExtensionDescriptor,
    path: &str,
) -> Result<Option<pb::Rule>, PolicyError> {
    let options = method.options();
    if !options.has_extension(option) {
        return Ok(None);
    }
    let bad = |problem: String| PolicyError::BadRule {
        method: path.to_owned(),
        problem,
    };
    match &*options.get_extension(option) {
        Value::Message(rule) => rule
            .transcode_to()
            .map(Some)
            .map_err(|e| bad(e.to_string())),
        _ => Err(bad("not a Rule".to_owned())),
    }
}

/// Reads a rule strictly: an incomplete one stops the start, not the first call.
fn admits(path: &str, rule: &pb::Rule) -> Result<Admits, PolicyError> {
    let bad = |problem: &str| PolicyError::BadRule {
        method: path.to_owned(),
        problem: problem.to_owned(),
    };
    let mut kinds = HashSet::new();
    for kind in &rule.callers {
        match pb::Caller::try_from(*kind) {
            Ok(pb::Caller::Unspecified) | Err(_) => return Err(bad("an unknown kind of caller")),
            Ok(kind) => kinds.insert(kind),
        };
    }
    let role =
        pb::ProjectRole::try_from(rule.project_role).map_err(|_| bad("an unknown project role"))?;
    let role = role_from_pb(role);
    if kinds.contains(&pb::Caller::Service) == rule.services.is_empty() {
        return Err(bad("CALLER_SERVICE and services go together"));
    }
    if kinds.contains(&pb::Caller::Person) != (role.is_some() || rule.any_person) {
        return Err(bad(
            "CALLER_PERSON goes together with project_role or any_person",
        ));
    }
    if role.is_some() && rule.any_person {
        return Err(bad("project_role and any_person exclude each other"));
    }
    Ok(Admits {
        kinds,
        services: rule.services.iter().cloned().collect(),
        project_role: role,
    })
}

fn everybody() -> Admits {
    Admits {
        kinds: HashSet::from([pb::Caller::Anonymous]),
        ..Admits::default()
    }
}

fn insert(
    methods: &mut HashMap<Arc<str>, Method>,
    path: &str,
    streaming: bool,
    open: bool,
    admits: Admits,
) {
    let path: Arc<str> = path.into();
    let method = Method {
        path: path.clone(),
        streaming,
        open,
        repeatable: false,
        admits,
    };
    methods.insert(path, method);
}

#[cfg(test)]
mod tests;
