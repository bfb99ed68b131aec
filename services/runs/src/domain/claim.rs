//! Claims: which lanes they read from, which workers and slots they have to give, and which leases they make.
use ck8s_types::{LeaseRef, Slot, WorkerId};

use super::{ExecutorDomain, Lane, QueuePosition};

/// A worker and a free slot for one run.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    pub slot: Slot,
    pub worker: WorkerId,
    /// Where the worker's workloads live.
    pub domain: ExecutorDomain,
}

/// What to claim from one lane: the runs after a position, one for each placement.
#[derive(Clone, Debug)]
pub(crate) struct LaneClaim {
    pub lane: Lane,
    pub after: QueuePosition,
    pub placements: Vec<Placement>,
}

/// A lease that was made.
#[derive(Clone, Debug)]
pub(crate) struct NewLease {
    pub lease: LeaseRef,
    pub slot: Slot,
    pub lane: Lane,
    pub position: QueuePosition,
    pub worker: WorkerId,
}

/// What a claim came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClaimResult {
    pub leases: Vec<NewLease>,
    /// Slots that were not free after all. Their runs wait on.
    pub conflicts: Vec<(Lane, Slot)>,
}

impl ClaimResult {
    /// The slots of the lane's project that were not free.
    pub(crate) fn conflicts_of(&self, lane: Lane) -> impl Iterator<Item = Slot> {
        let of_project =
            move |(l, slot): &(Lane, Slot)| (l.project == lane.project).then_some(*slot);
        self.conflicts.iter().filter_map(of_project)
    }
}
