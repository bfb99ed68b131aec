//! What workers report about the workloads of their leases.
use ck8s_types::{EventKind, RunReason};

use super::{LeaseHolder, Outcome, StreamId};

/// What happened to a workload.
#[derive(Clone, Debug)]
pub(crate) enum Transition {
    /// It runs. `adopted`: it was started under an earlier epoch.
    Running { workload: String, adopted: bool },
    /// It has ended; it may still be there.
    Finished(Outcome),
    /// It is gone.
    Released,
    /// It vanished.
    Lost { message: String, reason: RunReason },
    /// It goes on, and people should know something of it.
    Noted { kind: EventKind, message: String },
    /// The worker gives the lease back before it ever ran.
    ReturnedUnstarted,
    /// The worker gives the lease back; the workload goes on, and another worker has to take it over.
    ReturnedRunning,
}

/// A worker's message about a lease.
#[derive(Clone, Debug)]
pub(crate) struct TransitionMessage {
    pub holder: LeaseHolder,
    /// The worker's number for it; the acknowledgement carries it.
    pub sequence: i64,
    /// The stream that it came on, and that its acknowledgement goes to.
    pub stream: StreamId,
    pub transition: Transition,
}
