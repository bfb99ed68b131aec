//! Leases: a run on a slot, held by a worker.
use std::time::Duration;

use ck8s_types::{LeaseRef, ProjectId, RunReason, Slot, WorkerId};
use time::OffsetDateTime;

use super::{ExecutorDomain, Lane, QueuedRun};

/// How far a lease is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LeasePhase {
    /// Its worker has not said that the workload runs.
    Starting,
    /// Its workload runs.
    Running,
    /// Its run has ended; its workload may still be there.
    Releasing,
}

/// A live lease.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub lease: LeaseRef,
    pub lane: Lane,
    pub slot: Slot,
    /// The worker that holds it. None: its worker is gone.
    pub worker: Option<WorkerId>,
    /// Where its workload lives.
    pub domain: ExecutorDomain,
    pub phase: LeasePhase,
    /// Seconds since its worker was lost.
    pub orphaned_seconds: Option<f64>,
}

/// Which orphaned leases something can be done about.
#[derive(Clone, Debug)]
pub(crate) struct OrphanFilter {
    /// The domains of the workers that can take leases over here.
    pub domains: Vec<ExecutorDomain>,
    /// How long after it was orphaned the process of a lease is certainly gone.
    pub process_gone: Duration,
    /// How long a lease waits for a worker that takes it over.
    pub takeover_timeout: Duration,
}

/// A lease that a worker has taken over, under its new epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TakenLease {
    pub lease: LeaseRef,
    /// None: its workload does not run yet.
    pub running: Option<RunningSince>,
}

/// Since when the workload of an attempt has been running, by the database's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RunningSince {
    pub started_at: OffsetDateTime,
    pub elapsed: Duration,
}

/// The lease that a message is about, and the worker that sent it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LeaseHolder {
    pub lease: LeaseRef,
    pub worker: WorkerId,
}

/// A lease that goes back: its workload is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseReturn<'a> {
    pub lease: LeaseRef,
    /// The worker that holds it. None: it is orphaned.
    pub worker: Option<&'a WorkerId>,
    pub reason: ReturnReason,
    /// Why, in words for people.
    pub message: &'a str,
}

/// Why a lease goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReturnReason {
    /// Its workload never started: the same attempt waits again.
    NeverStarted,
    /// Its workload is lost: the next attempt waits, or the run has failed for this reason.
    WorkloadLost(RunReason),
}

/// What became of a lease that went back.
#[derive(Clone, Debug)]
pub(crate) enum ReturnedLease {
    /// The run waits again.
    Queued(QueuedRun),
    /// That was its last attempt, or it had ended before. The slot is free.
    Ended {
        project: ProjectId,
        group: Option<String>,
    },
}
