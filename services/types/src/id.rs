//! Ids. Each is a type of its own, so that none is taken for another.
use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

/// The error of a text that is no valid id.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("not a valid {kind} id")]
pub struct InvalidId {
    /// Which kind of id: run, project, ...
    pub kind: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id (UUIDv7: ordered by time).
            #[must_use]
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The UUID, for SQL.
            #[must_use]
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::parse_str(text).map(Self).map_err(|_| InvalidId { kind: $kind })
            }
        }
    };
}

uuid_id!(
    /// A project.
    ProjectId, "project"
);
uuid_id!(
    /// A repository of a project.
    RepositoryId, "repository"
);
uuid_id!(
    /// A delivery: ours, not the provider's.
    DeliveryId, "delivery"
);
uuid_id!(
    /// A run.
    RunId, "run"
);
uuid_id!(
    /// An API token.
    TokenId, "token"
);
uuid_id!(
    /// A person who may sign in.
    UserId, "user"
);
uuid_id!(
    /// A sign-in and what was refreshed from it.
    SessionId, "session"
);
uuid_id!(
    /// One life of a worker process.
    InstanceId, "instance"
);
uuid_id!(
    /// An installation: everything that shares one database.
    InstallationId, "installation"
);
uuid_id!(
    /// One life of a server process.
    ReplicaId, "replica"
);
uuid_id!(
    /// Makes a mutating call safe to repeat; the caller chooses it.
    RequestId, "request"
);

impl RunId {
    /// The id of the run of the first trigger that a delivery matches: the time of the delivery, then a name-based hash
    /// of it. So that run is made at most once, which the primary key of the runs ensures, and both are in the same
    /// partition.
    #[must_use]
    pub fn of_delivery(delivery: DeliveryId) -> Self {
        Self::named(delivery, b"run")
    }

    /// The id of the run of any other trigger that a delivery matches: the same, with the trigger's name in the hash.
    #[must_use]
    pub fn of_trigger(delivery: DeliveryId, trigger: &str) -> Self {
        Self::named(delivery, &[b"run/", trigger.as_bytes()].concat())
    }

    fn named(delivery: DeliveryId, name: &[u8]) -> Self {
        let mut bytes = *Uuid::new_v5(&delivery.uuid(), name).as_bytes();
        bytes[..6].copy_from_slice(&delivery.uuid().as_bytes()[..6]);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        Self(Uuid::from_bytes(bytes))
    }
}

/// Bounds the name of a worker.
const MAX_WORKER_ID_BYTES: usize = 100;

/// A worker: its own name, stable over restarts; 1 to 100 characters of a-z, A-Z, 0-9, dot, dash, underscore.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(String);

impl WorkerId {
    /// The name, for SQL and the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for WorkerId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for WorkerId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        let is_valid = (1..=MAX_WORKER_ID_BYTES).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if is_valid {
            Ok(Self(text))
        } else {
            Err(InvalidId { kind: "worker" })
        }
    }
}

impl From<WorkerId> for String {
    fn from(id: WorkerId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_id_of_a_delivery_is_always_the_same_and_keeps_its_time() {
        let (one, other) = (DeliveryId::new(), DeliveryId::new());
        let run = RunId::of_delivery(one);
        assert_eq!(run, RunId::of_delivery(one));
        assert_ne!(run, RunId::of_delivery(other));
        assert_eq!(run.uuid().get_version_num(), 7);
        assert_eq!(run.uuid().as_bytes()[..6], one.uuid().as_bytes()[..6]);
    }

    #[test]
    fn each_trigger_of_a_delivery_has_a_run_id_of_its_own() {
        let (one, other) = (DeliveryId::new(), DeliveryId::new());
        let run = RunId::of_trigger(one, "lint");
        assert_eq!(run, RunId::of_trigger(one, "lint"));
        assert_eq!(run.uuid().get_version_num(), 7);
        assert_eq!(run.uuid().as_bytes()[..6], one.uuid().as_bytes()[..6]);
        let others = [
            RunId::of_delivery(one),
            RunId::of_trigger(one, ""),
            RunId::of_trigger(one, "test"),
            RunId::of_trigger(other, "lint"),
        ];
        assert!(!others.contains(&run));
        assert_ne!(RunId::of_delivery(one), RunId::of_trigger(one, ""));
    }

    #[test]
    fn worker_ids_are_checked() {
        assert!("node-1.eu_west".parse::<WorkerId>().is_ok());
        for bad in ["", "a b", "a/b", &"x".repeat(101)] {
            assert!(bad.parse::<WorkerId>().is_err(), "{bad}");
        }
    }
}
