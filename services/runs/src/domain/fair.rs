//! Who is served next: of the projects that may have waiting runs, the one that holds the fewest leases; among equals, the one that
//! was served longest ago. A project with many waiting runs so never holds up another one.
use std::collections::{BTreeSet, HashMap, VecDeque};

use ck8s_types::ProjectId;

use super::{Lane, Place, PoolId};

/// The lanes that may have runs to claim.
#[derive(Default)]
pub struct FairQueue {
    projects: HashMap<ProjectId, Project>,
    /// Projects with an open lane, in the order of service.
    order: BTreeSet<(u32, u64, ProjectId)>,
    served: u64,
}

#[derive(Default)]
struct Project {
    /// Leases that its runs hold here.
    held: u32,
    /// When it was last served.
    served: u64,
    /// Grows with everything that is heard of the project: what was planned before may be outdated.
    generation: u64,
    /// Lanes that may have runs to claim, next one first.
    open: VecDeque<PoolId>,
    /// Up to where each lane is known to be empty. (Technique: dead index entries before it are not visited again.)
    watermarks: HashMap<PoolId, Place>,
}

impl FairQueue {
    /// A run waits at this place of the lane.
    pub fn opened(&mut self, lane: Lane, at: Place) {
        let project = self.projects.entry(lane.project).or_default();
        project.generation += 1;
        let mark = project.watermarks.entry(lane.pool).or_insert(Place::START);
        *mark = (*mark).min(at.before());
        if project.open.contains(&lane.pool) {
            return;
        }
        project.open.push_back(lane.pool);
        self.order
            .insert((project.held, project.served, lane.project));
    }

    /// There may be runs again, at no known place: a slot became free.
    pub fn reopened(&mut self, project_id: ProjectId) {
        let Some(project) = self.projects.get_mut(&project_id) else {
            return;
        };
        project.generation += 1;
        let pools: Vec<PoolId> = project.watermarks.keys().copied().collect();
        for pool in pools {
            if !project.open.contains(&pool) {
                project.open.push_back(pool);
            }
        }
        if !project.open.is_empty() {
            self.order
                .insert((project.held, project.served, project_id));
        }
    }

    /// Nothing was left to claim in the lane at this generation.
    pub fn closed(&mut self, lane: Lane, generation: u64) {
        let Some(project) = self.projects.get_mut(&lane.project) else {
            return;
        };
        if project.generation != generation {
            return;
        }
        project.open.retain(|pool| *pool != lane.pool);
        if project.open.is_empty() {
            self.order
                .remove(&(project.held, project.served, lane.project));
        }
    }

    /// What is known of the lane's project now, to tell later whether more has been heard.
    pub fn generation(&self, lane: Lane) -> u64 {
        self.projects.get(&lane.project).map_or(0, |p| p.generation)
    }

    /// The lane's runs up to this place were claimed at this generation.
    pub fn advanced(&mut self, lane: Lane, to: Place, generation: u64) {
        if let Some(project) = self
            .projects
            .get_mut(&lane.project)
            .filter(|p| p.generation == generation)
        {
            let mark = project.watermarks.entry(lane.pool).or_insert(Place::START);
            *mark = (*mark).max(to);
        }
    }

    /// Where the lane's first waiting run may be.
    pub fn watermark(&self, lane: Lane) -> Place {
        self.projects
            .get(&lane.project)
            .and_then(|p| p.watermarks.get(&lane.pool))
            .copied()
            .unwrap_or(Place::START)
    }

    /// A lease of the project came (+1) or went (-1).
    pub fn held(&mut self, project_id: ProjectId, change: i32) {
        self.reorder(project_id, |p| {
            p.held = p.held.saturating_add_signed(change);
        });
    }

    /// The lane to serve next, if `fits` takes one; it then counts as served. Projects of which no lane fits are passed over.
    pub fn next(&mut self, mut fits: impl FnMut(Lane) -> bool) -> Option<Lane> {
        let found = self.order.iter().find_map(|(_, _, id)| {
            let project = self.projects.get(id)?;
            let pool = project.open.iter().copied().find(|pool| {
                fits(Lane {
                    project: *id,
                    pool: *pool,
                })
            })?;
            Some(Lane { project: *id, pool })
        })?;
        self.served += 1;
        let served = self.served;
        self.reorder(found.project, |p| {
            p.served = served;
            p.held += 1;
            p.open.retain(|pool| *pool != found.pool);
            p.open.push_back(found.pool);
        });
        Some(found)
    }

    fn reorder(&mut self, id: ProjectId, change: impl FnOnce(&mut Project)) {
        let project = self.projects.entry(id).or_default();
        let was_open = self.order.remove(&(project.held, project.served, id));
        change(project);
        if was_open {
            self.order.insert((project.held, project.served, id));
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

    #[test]
    fn the_project_that_holds_least_is_served_first_and_equals_take_turns() {
        let (a, b) = (ProjectId::new(), ProjectId::new());
        let mut queue = FairQueue::default();
        queue.opened(lane(a), Place { rank: 0, seq: 1 });
        queue.held(a, 3);
        queue.opened(lane(b), Place { rank: 0, seq: 500 });
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
        queue.opened(lane(a), Place { rank: 0, seq: 7 });
        assert_eq!(queue.watermark(lane(a)), Place::START);
        let generation = queue.generation(lane(a));
        queue.advanced(lane(a), Place { rank: 0, seq: 7 }, generation);
        queue.closed(lane(a), generation);
        assert_eq!(queue.next(|_| true), None);
        queue.opened(lane(a), Place { rank: -5, seq: 9 });
        assert_eq!(
            queue.watermark(lane(a)),
            Place { rank: -5, seq: 8 },
            "a higher priority lies before the watermark"
        );
        assert_eq!(queue.next(|_| false), None);
        assert_eq!(queue.next(|_| true), Some(lane(a)));
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
        queue.opened(lane(a), Place::START);
        let before = queue.generation(lane(a));
        queue.opened(lane(a), Place::START);
        queue.closed(lane(a), before);
        assert_eq!(
            queue.next(|_| true),
            Some(lane(a)),
            "something was heard since"
        );
        queue.closed(lane(a), queue.generation(lane(a)));
        queue.reopened(a);
        assert_eq!(queue.next(|_| true), Some(lane(a)));
    }
}
