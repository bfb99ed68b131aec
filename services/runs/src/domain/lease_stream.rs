//! The frames of a worker's stream, in both directions, and the ways in which it ends.
use std::time::Duration;

use ck8s_types::{InstallationId, LeaseRef, RunReason, Slot, WorkerId};
use time::OffsetDateTime;

use super::{Run, RunningSince, Transition};

/// What the server says to a worker.
// A grant is far larger than the others. In a box it would cost an allocation per run; most frames are small and
// short-lived.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub(crate) enum ServerFrame {
    /// The first frame: the terms of the stream.
    Welcome {
        lease_ttl: Duration,
        heartbeat_interval: Duration,
        installation: InstallationId,
    },
    /// The worker holds a lease from now on.
    Grant(Grant),
    /// The worker has to stop a workload.
    Cancel { lease: LeaseRef, reason: RunReason },
    /// A lease is not the worker's any more.
    Revoke { lease: LeaseRef, cause: RevokeCause },
    /// All leases of the worker live longer.
    Renewed {
        sequence: i64,
        lease_until: OffsetDateTime,
    },
    /// A transition is stored, or refused for good.
    Ack { sequence: i64 },
    /// The server stops: the worker has to find another one.
    Draining,
}

/// Why a lease is revoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RevokeCause {
    /// Its epoch is not the run's current one.
    StaleEpoch,
    /// No heartbeat came in time.
    Expired,
}

impl RevokeCause {
    /// Its word in the contract.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::StaleEpoch => "STALE_EPOCH",
            Self::Expired => "EXPIRED",
        }
    }
}

/// What a worker is told about a lease that it holds from now on.
#[derive(Debug)]
pub(crate) struct Grant {
    pub lease: LeaseRef,
    pub slot: Slot,
    pub worker: WorkerId,
    pub purpose: GrantPurpose,
    pub run: Run,
    pub project_slug: String,
    pub lease_until: OffsetDateTime,
    /// Since when the workload that is taken over has been running. None: it does not run yet.
    pub running: Option<RunningSince>,
}

/// What the worker has to do with the workload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GrantPurpose {
    /// Start it.
    Start,
    /// Adopt it, if it exists.
    TakeOver,
    /// Stop it, if it exists: the run has ended.
    CleanUp,
}

/// What a worker says after its Hello.
#[derive(Debug)]
pub(crate) enum WorkerFrame {
    Heartbeat {
        sequence: i64,
        leases: Vec<LeaseRef>,
    },
    Transition {
        lease: LeaseRef,
        sequence: i64,
        transition: Transition,
    },
    /// How many leases it can hold from now on.
    Capacity(i32),
    /// It takes no more work and goes.
    Drain,
    /// A frame of a later version of the protocol.
    Unknown,
}

/// Why the server ends a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamEnd {
    /// The worker holds a newer stream.
    Replaced,
    /// No heartbeat came in time.
    Expired,
    /// What the worker said cannot be stored now.
    DatabaseUnavailable,
}
