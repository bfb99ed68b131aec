//! The fair order of service: the project with the fewest leases goes first; among equals, the one that was served
//! longest ago. So a project with many waiting runs never holds up another one.
use std::collections::{BTreeSet, HashMap, VecDeque};

use ck8s_types::ProjectId;

use super::{Lane, PoolId, QueuePosition};

/// The lanes that may have runs to claim, in the order of service.
#[derive(Default)]
pub(crate) struct FairQueue {
    projects: HashMap<ProjectId, Project>,
    /// Projects with a lane to serve, in the order of service.
    order: BTreeSet<(u32, u64, ProjectId)>,
    /// How often a lane was served: the clock of "longest ago".
    services: u64,
}

#[derive(Default)]
struct Project {
    /// How many leases its runs hold here.
    leases: u32,
    /// The number of the service that it got last; see [`FairQueue::services`].
    last_service: u64,
    lanes: HashMap<PoolId, LaneState>,
    /// Lanes that are open and not being claimed from, next one first.
    ready: VecDeque<PoolId>,
}

struct LaneState {
    /// No run waits up to this position. Claims start behind it, so that they do not visit the dead index entries
    /// before it again.
    low_mark: QueuePosition,
    /// There may be runs to claim.
    is_open: bool,
    /// The claim that is under way, if there is one. Only one at a time, so that the mark is exact.
    claim: Option<ClaimActivity>,
}

/// What happened in a lane while a claim of it was under way. The claim may have missed it.
#[derive(Clone, Copy, Default)]
struct ClaimActivity {
    /// Just before the first run that joined the lane.
    joined_after: Option<QueuePosition>,
    /// There may be runs to claim again: the claim does not close the lane.
    reopened: bool,
}

/// How far a claim came in a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneProgress {
    /// The position up to which it claimed every run. None: it claimed nothing, or that is not certain.
    pub claimed_to: Option<QueuePosition>,
    /// No run is left in the lane.
    pub exhausted: bool,
}

impl FairQueue {
    /// Notes that a run waits at this position of the lane.
    pub(crate) fn push(&mut self, lane: Lane, position: QueuePosition) {
        let before = position.before();
        self.change(lane.project, |project| {
            let state = project.lanes.entry(lane.pool).or_insert(LaneState {
                low_mark: before,
                is_open: false,
                claim: None,
            });
            if let Some(claim) = &mut state.claim {
                claim.reopened = true;
                claim.joined_after = Some(claim.joined_after.map_or(before, |p| p.min(before)));
            } else {
                state.low_mark = state.low_mark.min(before);
                project.open(lane.pool);
            }
        });
    }

    /// Opens all lanes of a project: a slot became free, so there may be runs that can be claimed, at no known
    /// position.
    pub(crate) fn reopen(&mut self, project_id: ProjectId) {
        if !self.projects.contains_key(&project_id) {
            return;
        }
        self.change(project_id, |project| {
            let pools: Vec<PoolId> = project.lanes.keys().copied().collect();
            for pool in pools {
                project.open(pool);
            }
        });
    }

    /// Closes all lanes of a project that has no free slot, until it is reopened or another run waits.
    pub(crate) fn close(&mut self, project_id: ProjectId) {
        self.change(project_id, |project| {
            for pool in std::mem::take(&mut project.ready) {
                if let Some(state) = project.lanes.get_mut(&pool) {
                    state.is_open = false;
                }
            }
        });
    }

    /// Begins a claim of this lane. Returns the position behind which it starts. [`FairQueue::end_claim`] ends it.
    pub(crate) fn begin_claim(&mut self, lane: Lane) -> QueuePosition {
        let mut start = QueuePosition::START;
        self.change(lane.project, |project| {
            project.ready.retain(|pool| *pool != lane.pool);
            if let Some(state) = project.lanes.get_mut(&lane.pool) {
                state.claim = Some(ClaimActivity::default());
                start = state.low_mark;
            }
        });
        start
    }

    /// Ends the claim of this lane.
    pub(crate) fn end_claim(&mut self, lane: Lane, outcome: LaneProgress) {
        self.change(lane.project, |project| {
            let Some(state) = project.lanes.get_mut(&lane.pool) else {
                return;
            };
            let meanwhile = state.claim.take().unwrap_or_default();
            if let Some(position) = outcome.claimed_to {
                state.low_mark = state.low_mark.max(position);
            }
            if let Some(position) = meanwhile.joined_after {
                state.low_mark = state.low_mark.min(position);
            }
            state.is_open = false;
            if meanwhile.reopened || !outcome.exhausted {
                project.open(lane.pool);
            }
        });
    }

    /// Changes the number of leases that count for a project.
    pub(crate) fn add_leases(&mut self, project_id: ProjectId, change: i32) {
        self.change(project_id, |p| {
            p.leases = p.leases.saturating_add_signed(change);
        });
    }

    /// Returns the lane to serve next, if `fits` accepts one, and counts it as served. Passes over projects of which no
    /// lane fits.
    pub(crate) fn serve_next(&mut self, fits: impl FnMut(Lane) -> bool) -> Option<Lane> {
        let lane = self.peek(fits)?;
        self.services += 1;
        let service = self.services;
        self.change(lane.project, |p| {
            p.last_service = service;
            p.leases += 1;
            p.ready.retain(|pool| *pool != lane.pool);
            p.ready.push_back(lane.pool);
        });
        Some(lane)
    }

    /// Returns the lane that would be served next.
    pub(crate) fn peek(&self, mut fits: impl FnMut(Lane) -> bool) -> Option<Lane> {
        self.order.iter().find_map(|(_, _, project)| {
            let lane = |pool: &PoolId| Lane {
                project: *project,
                pool: *pool,
            };
            let ready = &self.projects.get(project)?.ready;
            ready.iter().map(lane).find(|lane| fits(*lane))
        })
    }

    /// Whether a claim of this lane is under way.
    pub(crate) fn is_claiming(&self, lane: Lane) -> bool {
        let project = self.projects.get(&lane.project);
        let state = project.and_then(|p| p.lanes.get(&lane.pool));
        state.is_some_and(|state| state.claim.is_some())
    }

    /// Changes a project, and its place in the order of service with it.
    fn change(&mut self, id: ProjectId, change: impl FnOnce(&mut Project)) {
        let project = self.projects.entry(id).or_default();
        self.order
            .remove(&(project.leases, project.last_service, id));
        change(project);
        if !project.ready.is_empty() {
            self.order
                .insert((project.leases, project.last_service, id));
        }
    }
}

impl Project {
    fn open(&mut self, pool: PoolId) {
        let Some(state) = self.lanes.get_mut(&pool) else {
            return;
        };
        if let Some(claim) = &mut state.claim {
            claim.reopened = true;
        } else if !state.is_open {
            state.is_open = true;
            self.ready.push_back(pool);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(project: ProjectId) -> Lane {
        Lane {
            project,
            pool: PoolId(1),
        }
    }

    fn at(seq: i64) -> QueuePosition {
        QueuePosition { rank: 0, seq }
    }

    const NOTHING: LaneProgress = LaneProgress {
        claimed_to: None,
        exhausted: true,
    };

    #[test]
    fn the_project_with_the_fewest_leases_is_served_first_and_equals_take_turns() {
        let (a, b) = (ProjectId::new(), ProjectId::new());
        let mut queue = FairQueue::default();
        queue.push(lane(a), at(1));
        queue.add_leases(a, 3);
        queue.push(lane(b), at(500));
        let served: Vec<ProjectId> = (0..8)
            .filter_map(|_| queue.serve_next(|_| true))
            .map(|l| l.project)
            .collect();
        assert_eq!(served[..3], [b, b, b]);
        assert_eq!(
            served[3..].iter().filter(|p| **p == a).count(),
            3,
            "then they take turns"
        );
    }

    #[test]
    fn closed_lanes_are_passed_over_until_a_run_joins_them() {
        let a = ProjectId::new();
        let mut queue = FairQueue::default();
        queue.push(lane(a), at(7));
        assert_eq!(queue.begin_claim(lane(a)), at(6));
        assert_eq!(queue.serve_next(|_| true), None, "a claim is under way");
        queue.end_claim(
            lane(a),
            LaneProgress {
                claimed_to: Some(at(7)),
                exhausted: true,
            },
        );
        assert_eq!(queue.serve_next(|_| true), None);
        queue.push(lane(a), QueuePosition { rank: -5, seq: 9 });
        assert_eq!(queue.serve_next(|_| false), None);
        assert_eq!(queue.serve_next(|_| true), Some(lane(a)));
        assert_eq!(
            queue.begin_claim(lane(a)),
            QueuePosition { rank: -5, seq: 8 },
            "a higher priority lies before the mark"
        );
    }

    #[test]
    fn a_run_that_joins_during_a_claim_is_not_skipped_by_it() {
        let a = ProjectId::new();
        let mut queue = FairQueue::default();
        queue.push(lane(a), at(1));
        queue.begin_claim(lane(a));
        // Committed after the claim had looked, with a lower place than what it claimed.
        queue.push(lane(a), at(5));
        queue.end_claim(
            lane(a),
            LaneProgress {
                claimed_to: Some(at(8)),
                exhausted: true,
            },
        );
        assert_eq!(queue.serve_next(|_| true), Some(lane(a)));
        assert_eq!(queue.begin_claim(lane(a)), at(4));
        queue.end_claim(lane(a), NOTHING);
        assert_eq!(queue.serve_next(|_| true), None);
    }

    #[test]
    fn a_free_slot_reopens_every_lane_of_its_project() {
        let a = ProjectId::new();
        let mut queue = FairQueue::default();
        queue.reopen(a);
        assert_eq!(
            queue.serve_next(|_| true),
            None,
            "an unknown project has no lanes"
        );
        queue.push(lane(a), at(1));
        queue.begin_claim(lane(a));
        queue.reopen(a);
        queue.end_claim(lane(a), NOTHING);
        assert_eq!(
            queue.serve_next(|_| true),
            Some(lane(a)),
            "the slot became free during the claim"
        );
        queue.begin_claim(lane(a));
        queue.end_claim(lane(a), NOTHING);
        queue.reopen(a);
        assert_eq!(queue.serve_next(|_| true), Some(lane(a)));
    }
}
