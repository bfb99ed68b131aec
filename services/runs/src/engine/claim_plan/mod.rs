//! Plans: which lanes to claim from, and for each run that may wait there a worker with room and a free slot.
use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use ck8s_types::{ProjectId, Slot, WorkerId};

use super::{Scheduler, WorkerSession};
use crate::domain::{
    ClaimResult, Lane, LaneClaim, LaneProgress, NewLease, Placement, PoolId, SlotAvailability,
};

/// Leases that one transaction makes: it bounds how long its locks are held.
const MAX_BATCH_LEASES: usize = 256;

/// A claim that was planned. Its placements are reserved, and its lanes busy, until it is settled or abandoned.
pub(crate) struct Plan {
    pub lanes: Vec<LaneClaim>,
}

/// What planning came to.
pub(crate) struct Planned {
    pub plan: Option<Plan>,
    /// Projects with lanes to serve whose free slots have to be read first.
    pub unknown: Vec<ProjectId>,
}

/// Placements for new runs.
pub(crate) struct NewRunPlacements {
    /// One for each run; None: it has to wait.
    pub placements: Vec<Option<Placement>>,
    /// Projects whose free slots would have to be read.
    pub unknown: Vec<ProjectId>,
}

/// The workers with room for the runs of each pool, in turn.
#[derive(Default)]
struct Candidates(HashMap<PoolId, Vec<WorkerId>>);

impl Candidates {
    /// Whether one of them has room for a run of this pool.
    fn any(
        &mut self,
        pool: PoolId,
        sessions: &HashMap<WorkerId, WorkerSession>,
        pools: &HashMap<PoolId, Vec<String>>,
    ) -> bool {
        let workers = match self.0.entry(pool) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(suitable(sessions, pools.get(&pool))),
        };
        while workers
            .last()
            .is_some_and(|w| sessions.get(w).is_none_or(|s| s.free_capacity() <= 0))
        {
            workers.pop();
        }
        !workers.is_empty()
    }

    /// Returns the next one, which then is the last to get another run.
    fn next(&mut self, pool: PoolId) -> Option<WorkerId> {
        let workers = self.0.get_mut(&pool)?;
        workers.rotate_right(1);
        workers.first().cloned()
    }
}

/// Returns the workers with room that have the labels, most room last.
fn suitable(
    sessions: &HashMap<WorkerId, WorkerSession>,
    labels: Option<&Vec<String>>,
) -> Vec<WorkerId> {
    let suits =
        |s: &&WorkerSession| s.free_capacity() > 0 && labels.is_some_and(|l| s.has_labels(l));
    let mut found: Vec<&WorkerSession> = sessions.values().filter(suits).collect();
    found.sort_by_key(|s| s.free_capacity());
    found.into_iter().map(|s| s.worker().clone()).collect()
}

impl Scheduler {
    /// Plans a claim, projects in fair order.
    pub(super) fn plan(&mut self) -> Planned {
        let mut candidates = Candidates::default();
        let mut lanes: HashMap<Lane, Vec<Placement>> = HashMap::new();
        let (mut unknown, mut full) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..MAX_BATCH_LEASES {
            let (sessions, pools, slots) = (&self.sessions, &self.pools, &self.slots);
            let lane = self.queue.serve_next(|lane| {
                let project = lane.project;
                match slots.availability(project) {
                    SlotAvailability::Free => return candidates.any(lane.pool, sessions, pools),
                    SlotAvailability::Full => drop(full.insert(project)),
                    SlotAvailability::Unknown => drop(unknown.insert(project)),
                    SlotAvailability::Loading => {}
                }
                false
            });
            let Some(lane) = lane else { break };
            let Some(placement) = self.reserve(lane, &mut candidates) else {
                break;
            };
            lanes.entry(lane).or_default().push(placement);
        }
        for project in full {
            self.queue.close(project);
        }
        let lanes: Vec<LaneClaim> = lanes
            .into_iter()
            .map(|(lane, placements)| LaneClaim {
                after: self.queue.begin_claim(lane),
                lane,
                placements,
            })
            .collect();
        Planned {
            plan: (!lanes.is_empty()).then_some(Plan { lanes }),
            unknown: unknown.into_iter().collect(),
        }
    }

    /// Places new runs that need not wait: no claim of their lane is under way, and nothing that waits could be served
    /// instead.
    pub(super) fn place(&mut self, lanes: impl Iterator<Item = Lane>) -> NewRunPlacements {
        let mut candidates = Candidates::default();
        let mut unknown = BTreeSet::new();
        let others_wait = {
            let (sessions, pools, slots) = (&self.sessions, &self.pools, &self.slots);
            let fits = |lane: Lane| {
                slots.availability(lane.project) != SlotAvailability::Full
                    && candidates.any(lane.pool, sessions, pools)
            };
            self.queue.peek(fits).is_some()
        };
        let mut placements = Vec::new();
        for lane in lanes {
            let mut placement = None;
            if !others_wait && !self.queue.is_claiming(lane) {
                match self.slots.availability(lane.project) {
                    SlotAvailability::Free
                        if candidates.any(lane.pool, &self.sessions, &self.pools) =>
                    {
                        placement = self.reserve(lane, &mut candidates);
                        self.queue.add_leases(lane.project, 1);
                    }
                    SlotAvailability::Unknown => drop(unknown.insert(lane.project)),
                    _ => {}
                }
            }
            placements.push(placement);
        }
        NewRunPlacements {
            placements,
            unknown: unknown.into_iter().collect(),
        }
    }

    /// Ends what [`Scheduler::place`] began: placements that were leased are held, the others given back.
    pub(super) fn settle_placements(
        &mut self,
        lanes: impl Iterator<Item = Lane>,
        placements: &[Option<Placement>],
        leases: &[NewLease],
    ) {
        for (lane, placement) in lanes.zip(placements) {
            let Some(placement) = placement else { continue };
            let lease = leases
                .iter()
                .find(|l| l.slot == placement.slot && l.lane.project == lane.project);
            // Without a lease somebody else may have the slot.
            self.unreserve(lane.project, placement, lease, true);
            if lease.is_none() {
                self.slots.mark_stale(lane.project);
            }
        }
    }

    /// Reserves a worker and a slot: the caller has seen that both are there.
    fn reserve(&mut self, lane: Lane, candidates: &mut Candidates) -> Option<Placement> {
        let session = self.sessions.get_mut(&candidates.next(lane.pool)?)?;
        let slot = self.slots.take(lane.project)?;
        session.reserved += 1;
        Some(Placement {
            slot,
            worker: session.worker().clone(),
            domain: session.hello.domain.clone(),
        })
    }

    /// Ends a plan: what was leased is held, other placements are given back. A lane that had fewer runs than
    /// placements closes.
    pub(super) fn settle(&mut self, plan: &Plan, claim: &ClaimResult) {
        let mut leases: HashMap<Lane, Vec<&NewLease>> = HashMap::new();
        for lease in &claim.leases {
            leases.entry(lease.lane).or_default().push(lease);
        }
        for planned in &plan.lanes {
            let made = leases.get(&planned.lane).map_or(&[][..], Vec::as_slice);
            let conflicts: Vec<Slot> = claim.conflicts_of(planned.lane).collect();
            self.unreserve_all(planned, made, &conflicts);
            let certain = conflicts.is_empty();
            let outcome = LaneProgress {
                claimed_to: made.iter().map(|l| l.position).max().filter(|_| certain),
                exhausted: made.len() < planned.placements.len() && certain,
            };
            self.queue.end_claim(planned.lane, outcome);
        }
    }

    /// Ends a plan that came to nothing: its lanes stay open.
    pub(super) fn abandon(&mut self, plan: &Plan) {
        for planned in &plan.lanes {
            self.unreserve_all(planned, &[], &[]);
            let outcome = LaneProgress {
                claimed_to: None,
                exhausted: false,
            };
            self.queue.end_claim(planned.lane, outcome);
        }
    }

    fn unreserve_all(&mut self, planned: &LaneClaim, made: &[&NewLease], conflicts: &[Slot]) {
        let project = planned.lane.project;
        for placement in &planned.placements {
            let lease = made.iter().find(|l| l.slot == placement.slot).copied();
            let conflict = conflicts.contains(&placement.slot);
            self.unreserve(project, placement, lease, conflict);
        }
        if !conflicts.is_empty() {
            self.slots.mark_stale(project);
        }
    }

    /// Ends a reservation: the lease that was made of it is held, if there is one; else the slot is free again, unless
    /// it is in conflict and so somebody else's.
    fn unreserve(
        &mut self,
        project: ProjectId,
        placement: &Placement,
        lease: Option<&NewLease>,
        conflict: bool,
    ) {
        if let Some(session) = self.sessions.get_mut(&placement.worker) {
            // A session that took another's place since has reserved nothing.
            session.reserved = (session.reserved - 1).max(0);
        }
        self.queue.add_leases(project, -1);
        match lease {
            Some(lease) => self.add_lease(&lease.worker, lease.lease, project),
            None if conflict => {}
            None => self.slots.release(project, placement.slot),
        }
    }
}

#[cfg(test)]
mod tests;
