//! Plans: which lanes to claim from, and for each run that may wait there a worker with room and a free slot.
use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use ck8s_types::ProjectId;

use super::{board::Board, sessions::Session};
use crate::{
    domain::{Found, Lane, PoolId, Room},
    store::claim::{Claimed, Leased, Seat, Want},
};

/// Most leases that one transaction makes: it bounds how long its locks are held.
const BATCH: usize = 256;

/// A claim that was planned. Its seats are reserved, and its lanes busy, until it is settled.
pub struct Plan {
    pub wants: Vec<Want>,
}

/// What planning came to.
pub struct Planned {
    pub plan: Option<Plan>,
    /// Projects with lanes to serve whose free slots have to be read first.
    pub unknown: Vec<ProjectId>,
}

/// Workers with room, by what they can do, in turn.
#[derive(Default)]
struct Workers(HashMap<PoolId, Vec<String>>);

impl Workers {
    /// Whether one of them has room for a run of this pool.
    fn any(
        &mut self,
        pool: PoolId,
        sessions: &HashMap<String, Session>,
        pools: &HashMap<PoolId, Vec<String>>,
    ) -> bool {
        let found = match self.0.entry(pool) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(suitable(sessions, pools.get(&pool))),
        };
        while found
            .last()
            .is_some_and(|w| sessions.get(w).is_none_or(|s| s.free() <= 0))
        {
            found.pop();
        }
        !found.is_empty()
    }

    /// The next one, which then is the last to get another run.
    fn next(&mut self, pool: PoolId) -> Option<String> {
        let found = self.0.get_mut(&pool)?;
        found.rotate_right(1);
        found.first().cloned()
    }
}

/// Those with room that have the labels, most room last.
fn suitable(sessions: &HashMap<String, Session>, labels: Option<&Vec<String>>) -> Vec<String> {
    let suits = |s: &&Session| s.free() > 0 && labels.is_some_and(|l| s.has_labels(l));
    let mut found: Vec<&Session> = sessions.values().filter(suits).collect();
    found.sort_by_key(|s| s.free());
    found.into_iter().map(|s| s.worker().to_owned()).collect()
}

impl Board {
    /// Plans a claim, projects in fair order.
    pub fn plan(&mut self) -> Planned {
        let mut workers = Workers::default();
        let mut wants: HashMap<Lane, Vec<Seat>> = HashMap::new();
        let (mut unknown, mut full) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..BATCH {
            let (sessions, pools, slots) = (&self.sessions, &self.pools, &self.slots);
            let lane = self.fair.next(|lane| {
                let project = lane.project;
                match slots.room(project) {
                    Room::Free => return workers.any(lane.pool, sessions, pools),
                    Room::Full => drop(full.insert(project)),
                    Room::Unknown => drop(unknown.insert(project)),
                    Room::Awaited => {}
                }
                false
            });
            let Some(lane) = lane else { break };
            let Some(seat) = self.reserve(lane, &mut workers) else {
                break;
            };
            wants.entry(lane).or_default().push(seat);
        }
        for project in full {
            self.fair.shut(project);
        }
        let wants: Vec<Want> = wants
            .into_iter()
            .map(|(lane, seats)| Want {
                from: self.fair.begin(lane),
                lane,
                seats,
            })
            .collect();
        Planned {
            plan: (!wants.is_empty()).then_some(Plan { wants }),
            unknown: unknown.into_iter().collect(),
        }
    }

    /// Seats for new runs, where they need not wait: their lane is not being claimed from, and nothing that waits could be served. Also
    /// the projects whose free slots would have to be read.
    pub fn seat(
        &mut self,
        lanes: impl Iterator<Item = Lane>,
    ) -> (Vec<Option<Seat>>, Vec<ProjectId>) {
        let mut workers = Workers::default();
        let mut unknown = BTreeSet::new();
        let waits = {
            let (sessions, pools, slots) = (&self.sessions, &self.pools, &self.slots);
            let fits = |lane: Lane| {
                slots.room(lane.project) != Room::Full && workers.any(lane.pool, sessions, pools)
            };
            self.fair.peek(fits).is_some()
        };
        let mut seats = Vec::new();
        for lane in lanes {
            let mut seat = None;
            if !waits && !self.fair.is_busy(lane) {
                match self.slots.room(lane.project) {
                    Room::Free if workers.any(lane.pool, &self.sessions, &self.pools) => {
                        seat = self.reserve(lane, &mut workers);
                        self.fair.held(lane.project, 1);
                    }
                    Room::Unknown => drop(unknown.insert(lane.project)),
                    _ => {}
                }
            }
            seats.push(seat);
        }
        (seats, unknown.into_iter().collect())
    }

    /// The seats of [`Board::seat`] are used, or given back: those of runs that were not leased.
    pub fn seated(
        &mut self,
        lanes: impl Iterator<Item = Lane>,
        seats: &[Option<Seat>],
        leased: &[Leased],
    ) {
        for (lane, seat) in lanes.zip(seats) {
            let Some(seat) = seat else { continue };
            let got = leased
                .iter()
                .find(|l| l.slot == seat.slot && l.lane.project == lane.project);
            // Without a lease somebody else may have the slot.
            self.return_seat(lane.project, seat, got, true);
            if got.is_none() {
                self.slots.forget(lane.project);
            }
        }
    }

    /// A worker and a slot: both were found to be there.
    fn reserve(&mut self, lane: Lane, workers: &mut Workers) -> Option<Seat> {
        let session = self.sessions.get_mut(&workers.next(lane.pool)?)?;
        let slot = self.slots.take(lane.project)?;
        session.reserved += 1;
        Some(Seat {
            slot,
            worker: session.worker().to_owned(),
            domain: session.arrival.domain.clone(),
        })
    }

    /// Ends a plan: what was leased is held, other seats are given back. A lane that had fewer runs than seats closes.
    pub fn settle(&mut self, plan: &Plan, claimed: &Claimed) {
        let mut leased: HashMap<Lane, Vec<&Leased>> = HashMap::new();
        for lease in &claimed.leased {
            leased.entry(lease.lane).or_default().push(lease);
        }
        for want in &plan.wants {
            let got = leased.get(&want.lane).map_or(&[][..], Vec::as_slice);
            let clashed: Vec<i32> = claimed.clashed(want.lane.project).collect();
            self.return_seats(want, got, &clashed);
            let sure = clashed.is_empty();
            let found = Found {
                claimed_to: got.iter().map(|l| l.place).max().filter(|_| sure),
                exhausted: got.len() < want.seats.len() && sure,
            };
            self.fair.end(want.lane, found);
        }
    }

    /// Ends a plan that came to nothing: its lanes stay open.
    pub fn abandon(&mut self, plan: &Plan) {
        for want in &plan.wants {
            self.return_seats(want, &[], &[]);
            let unknown = Found {
                claimed_to: None,
                exhausted: false,
            };
            self.fair.end(want.lane, unknown);
        }
    }

    fn return_seats(&mut self, want: &Want, got: &[&Leased], clashed: &[i32]) {
        let project = want.lane.project;
        for seat in &want.seats {
            let lease = got.iter().find(|l| l.slot == seat.slot).copied();
            self.return_seat(project, seat, lease, clashed.contains(&seat.slot));
        }
        if !clashed.is_empty() {
            self.slots.forget(project);
        }
    }

    /// A slot that clashed is somebody else's: it is not free.
    fn return_seat(
        &mut self,
        project: ProjectId,
        seat: &Seat,
        lease: Option<&Leased>,
        clashed: bool,
    ) {
        if let Some(session) = self.sessions.get_mut(&seat.worker) {
            // A session that took another's place since has reserved nothing.
            session.reserved = (session.reserved - 1).max(0);
        }
        self.fair.held(project, -1);
        match lease {
            Some(lease) => self.hold(&lease.worker, lease.run, lease.epoch, project),
            None if clashed => {}
            None => self.slots.give(project, seat.slot),
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
