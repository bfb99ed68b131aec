//! Who is served next: of the projects that may have waiting runs, the one that holds the fewest leases; among equals, the one that
//! was served longest ago. A project with many waiting runs so never holds up another one.
use std::collections::{BTreeSet, HashMap, VecDeque};

use ck8s_types::ProjectId;

use super::{Lane, Place, PoolId};

/// The lanes that may have runs to claim.
#[derive(Default)]
pub struct FairQueue {
    projects: HashMap<ProjectId, Project>,
    /// Projects with a lane to serve, in the order of service.
    order: BTreeSet<(u32, u64, ProjectId)>,
    served: u64,
}

#[derive(Default)]
struct Project {
    /// Leases that its runs hold here.
    held: u32,
    /// When it was last served.
    served: u64,
    lanes: HashMap<PoolId, LaneState>,
    /// Lanes that are open and not being claimed from, next one first.
    ready: VecDeque<PoolId>,
}

struct LaneState {
    /// No run waits up to here. Claims start behind it, so that dead index entries before it are not visited again.
    mark: Place,
    /// There may be runs to claim.
    open: bool,
    /// A claim is under way. Only one at a time, so that it is known what the mark stands for.
    busy: bool,
    /// Just before the first run that was heard of during the claim, which may not have seen it.
    heard: Option<Place>,
    /// Something was heard of during the claim: it does not close the lane.
    again: bool,
}

/// What a claim found in a lane.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Up to here everything was claimed; none: nothing, or not for sure.
    pub claimed_to: Option<Place>,
    /// There was nothing more.
    pub exhausted: bool,
}

impl FairQueue {
    /// A run waits at this place of the lane.
    pub fn opened(&mut self, lane: Lane, at: Place) {
        let before = at.before();
        self.change(lane.project, |project| {
            let state = project.lanes.entry(lane.pool).or_insert(LaneState {
                mark: before,
                open: false,
                busy: false,
                heard: None,
                again: false,
            });
            if state.busy {
                state.again = true;
                state.heard = Some(state.heard.map_or(before, |heard| heard.min(before)));
            } else {
                state.mark = state.mark.min(before);
                project.open(lane.pool);
            }
        });
    }

    /// There may be runs again that can be claimed, at no known place: a slot became free.
    pub fn reopened(&mut self, project_id: ProjectId) {
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

    /// The project has no free slot: its lanes close until it is reopened, or a run is heard of.
    pub fn shut(&mut self, project_id: ProjectId) {
        self.change(project_id, |project| {
            for pool in std::mem::take(&mut project.ready) {
                if let Some(state) = project.lanes.get_mut(&pool) {
                    state.open = false;
                }
            }
        });
    }

    /// A claim of this lane begins; it starts behind the place that is returned. Ends with [`FairQueue::end`].
    pub fn begin(&mut self, lane: Lane) -> Place {
        let mut mark = Place::START;
        self.change(lane.project, |project| {
            project.ready.retain(|pool| *pool != lane.pool);
            if let Some(state) = project.lanes.get_mut(&lane.pool) {
                state.busy = true;
                mark = state.mark;
            }
        });
        mark
    }

    /// The lane's claim has ended.
    pub fn end(&mut self, lane: Lane, found: Found) {
        self.change(lane.project, |project| {
            let Some(state) = project.lanes.get_mut(&lane.pool) else {
                return;
            };
            state.busy = false;
            if let Some(place) = found.claimed_to {
                state.mark = state.mark.max(place);
            }
            if let Some(heard) = state.heard.take() {
                state.mark = state.mark.min(heard);
            }
            let again = std::mem::take(&mut state.again);
            state.open = false;
            if again || !found.exhausted {
                project.open(lane.pool);
            }
        });
    }

    /// A lease of the project came (+1) or went (-1).
    pub fn held(&mut self, project_id: ProjectId, change: i32) {
        self.change(project_id, |p| {
            p.held = p.held.saturating_add_signed(change);
        });
    }

    /// The lane to serve next, if `fits` takes one; it then counts as served. Projects of which no lane fits are passed over.
    pub fn next(&mut self, fits: impl FnMut(Lane) -> bool) -> Option<Lane> {
        let found = self.peek(fits)?;
        self.served += 1;
        let served = self.served;
        self.change(found.project, |p| {
            p.served = served;
            p.held += 1;
            p.ready.retain(|pool| *pool != found.pool);
            p.ready.push_back(found.pool);
        });
        Some(found)
    }

    /// The lane that would be served next.
    pub fn peek(&self, mut fits: impl FnMut(Lane) -> bool) -> Option<Lane> {
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
    pub fn is_busy(&self, lane: Lane) -> bool {
        let project = self.projects.get(&lane.project);
        project.is_some_and(|p| p.lanes.get(&lane.pool).is_some_and(|l| l.busy))
    }

    /// Changes a project, and its place in the order with it.
    fn change(&mut self, id: ProjectId, change: impl FnOnce(&mut Project)) {
        let project = self.projects.entry(id).or_default();
        self.order.remove(&(project.held, project.served, id));
        change(project);
        if !project.ready.is_empty() {
            self.order.insert((project.held, project.served, id));
        }
    }
}

impl Project {
    fn open(&mut self, pool: PoolId) {
        let Some(state) = self.lanes.get_mut(&pool) else {
            return;
        };
        if state.busy {
            state.again = true;
        } else if !state.open {
            state.open = true;
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

    fn at(seq: i64) -> Place {
        Place { rank: 0, seq }
    }

    const NOTHING: Found = Found {
        claimed_to: None,
        exhausted: true,
    };

    #[test]
    fn the_project_that_holds_least_is_served_first_and_equals_take_turns() {
        let (a, b) = (ProjectId::new(), ProjectId::new());
        let mut queue = FairQueue::default();
        queue.opened(lane(a), at(1));
        queue.held(a, 3);
        queue.opened(lane(b), at(500));
        let served: Vec<ProjectId> = (0..8)
            .filter_map(|_| queue.next(|_| true))
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
    fn closed_lanes_are_passed_over_until_they_are_opened_again() {
        let a = ProjectId::new();
        let mut queue = FairQueue::default();
        queue.opened(lane(a), at(7));
        assert_eq!(queue.begin(lane(a)), at(6));
        assert_eq!(queue.next(|_| true), None, "it is being claimed from");
        queue.end(
            lane(a),
            Found {
                claimed_to: Some(at(7)),
                exhausted: true,
            },
        );
        assert_eq!(queue.next(|_| true), None);
        queue.opened(lane(a), Place { rank: -5, seq: 9 });
        assert_eq!(queue.next(|_| false), None);
        assert_eq!(queue.next(|_| true), Some(lane(a)));
        assert_eq!(
            queue.begin(lane(a)),
            Place { rank: -5, seq: 8 },
            "a higher priority lies before the mark"
        );
    }

    #[test]
    fn what_is_heard_of_during_a_claim_is_not_skipped_by_it() {
        let a = ProjectId::new();
        let mut queue = FairQueue::default();
        queue.opened(lane(a), at(1));
        queue.begin(lane(a));
        // Committed after the claim had looked, with a lower place than what it claimed.
        queue.opened(lane(a), at(5));
        queue.end(
            lane(a),
            Found {
                claimed_to: Some(at(8)),
                exhausted: true,
            },
        );
        assert_eq!(queue.next(|_| true), Some(lane(a)));
        assert_eq!(queue.begin(lane(a)), at(4));
        queue.end(lane(a), NOTHING);
        assert_eq!(queue.next(|_| true), None);
    }

    #[test]
    fn a_free_slot_reopens_every_lane_of_its_project() {
        let a = ProjectId::new();
        let mut queue = FairQueue::default();
        queue.reopened(a);
        assert_eq!(
            queue.next(|_| true),
            None,
            "a project never heard of has no lanes"
        );
        queue.opened(lane(a), at(1));
        queue.begin(lane(a));
        queue.reopened(a);
        queue.end(lane(a), NOTHING);
        assert_eq!(
            queue.next(|_| true),
            Some(lane(a)),
            "something was heard since"
        );
        queue.begin(lane(a));
        queue.end(lane(a), NOTHING);
        queue.reopened(a);
        assert_eq!(queue.next(|_| true), Some(lane(a)));
    }
}
