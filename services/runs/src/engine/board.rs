//! The board: workers that are connected here, what they hold, and the lanes that may have runs for them. In memory, behind one lock,
//! and only a view: the database decides.
use std::collections::HashMap;

use ck8s_proto::runs::v1::{Cancel, lease_response::Frame};
use ck8s_rpc::{convert::reason_to_pb, status};
use ck8s_types::{Epoch, ProjectId, RunId, RunReason};

use super::sessions::Session;
use crate::{
    convert::lease_ref,
    domain::{FairQueue, Lane, PoolId},
    store::claim::{Leased, Want},
};

/// Most leases that one transaction makes: it bounds how long its locks are held.
const BATCH: usize = 256;
/// How long a workload may take to end by itself when it is canceled, in milliseconds.
const CANCEL_GRACE_MS: i64 = 2_000;

/// The board.
#[derive(Default)]
pub struct Board {
    pub fair: FairQueue,
    sessions: HashMap<String, Session>,
    pools: HashMap<PoolId, Vec<String>>,
}

/// A claim that was planned: what it wants, and for each lane the generation of what was known then.
pub struct Plan {
    pub wants: Vec<Want>,
    generations: Vec<u64>,
}

impl Board {
    /// Remembers what pools ask for.
    pub fn learn_pools(&mut self, pools: impl IntoIterator<Item = (PoolId, Vec<String>)>) {
        self.pools.extend(pools);
    }

    /// The number of a set of labels, where it is known.
    pub fn pool_of(&self, labels: &[String]) -> Option<PoolId> {
        self.pools
            .iter()
            .find(|(_, l)| l.as_slice() == labels)
            .map(|(id, _)| *id)
    }

    /// Whether a pool has not been heard of here.
    pub fn is_unknown(&self, pool: PoolId) -> bool {
        !self.pools.contains_key(&pool)
    }

    /// A worker's session.
    pub fn session(&mut self, worker: &str) -> Option<&mut Session> {
        self.sessions.get_mut(worker)
    }

    /// All sessions.
    pub fn sessions(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.values_mut()
    }

    /// A worker has connected; its session before, if any, ends.
    pub fn join(&mut self, session: Session) {
        for project in session.held.values().map(|h| h.project) {
            self.fair.held(project, 1);
        }
        if let Some(before) = self.sessions.insert(session.worker().to_owned(), session) {
            self.forget(&before);
            before.close(status::aborted(
                "REPLACED",
                "this worker holds a newer stream",
            ));
        }
    }

    /// Ends the stream of a worker that was not heard in time: it gets nothing more until it says Hello again.
    pub fn expire(&mut self, worker: &str) {
        if let Some(session) = self.sessions.remove(worker) {
            self.forget(&session);
            session.close(status::aborted(
                "EXPIRED",
                "no heartbeat came in time: connect again",
            ));
        }
    }

    /// A session has ended, unless a newer one took its place.
    pub fn leave(&mut self, worker: &str, session_id: u64) -> bool {
        if self.sessions.get(worker).is_none_or(|s| s.id != session_id) {
            return false;
        }
        if let Some(session) = self.sessions.remove(worker) {
            self.forget(&session);
        }
        true
    }

    fn forget(&mut self, session: &Session) {
        for project in session.held.values().map(|h| h.project) {
            self.fair.held(project, -1);
        }
    }

    /// A worker holds a lease from now on.
    pub fn hold(&mut self, worker: &str, run: RunId, epoch: Epoch, project: ProjectId) {
        if let Some(session) = self.sessions.get_mut(worker)
            && session.hold(run, epoch, project)
        {
            self.fair.held(project, 1);
        }
    }

    /// A worker's lease has ended; its project may have a run for the slot.
    pub fn drop_lease(&mut self, worker: &str, run: RunId, project: ProjectId) {
        if self
            .sessions
            .get_mut(worker)
            .is_some_and(|s| s.held.remove(&run).is_some())
        {
            self.fair.held(project, -1);
        }
        self.fair.reopened(project);
    }

    /// Tells a worker to stop a workload. False: it has no stream here.
    pub fn cancel(&mut self, worker: &str, run: RunId, epoch: Epoch, reason: RunReason) -> bool {
        self.sessions.get(worker).is_some_and(|session| {
            session.send(Frame::Cancel(Cancel {
                lease: Some(lease_ref(run, epoch)),
                reason: reason_to_pb(reason).into(),
                grace_ms: CANCEL_GRACE_MS,
            }))
        })
    }

    /// Plans a claim: one worker for each run that may be waiting, projects in fair order. The workers' places are reserved until
    /// [`Board::settle`]. None: nothing to do.
    pub fn plan(&mut self) -> Option<Plan> {
        let mut free: HashMap<PoolId, Vec<String>> = HashMap::new();
        let mut wants: HashMap<Lane, Vec<(String, String)>> = HashMap::new();
        for _ in 0..BATCH {
            let (sessions, pools) = (&self.sessions, &self.pools);
            let lane = self.fair.next(|lane| {
                let candidates = free.entry(lane.pool).or_insert_with(|| {
                    let labels = pools.get(&lane.pool);
                    let suits =
                        |s: &&Session| s.free() > 0 && labels.is_some_and(|l| s.has_labels(l));
                    let mut found: Vec<&Session> = sessions.values().filter(suits).collect();
                    found.sort_by_key(|s| s.free());
                    found.into_iter().map(|s| s.worker().to_owned()).collect()
                });
                while candidates
                    .last()
                    .is_some_and(|w| sessions.get(w).is_none_or(|s| s.free() <= 0))
                {
                    candidates.pop();
                }
                !candidates.is_empty()
            });
            let Some(lane) = lane else { break };
            let Some(worker) = free.get_mut(&lane.pool).and_then(|c| {
                // Round robin among those with room: the last goes to the front.
                let worker = c.pop()?;
                c.insert(0, worker.clone());
                Some(worker)
            }) else {
                break;
            };
            if let Some(session) = self.sessions.get_mut(&worker) {
                session.reserved += 1;
                let domain = session.arrival.domain.clone();
                wants.entry(lane).or_default().push((worker, domain));
            }
        }
        if wants.is_empty() {
            return None;
        }
        let (wants, generations) = wants
            .into_iter()
            .map(|(lane, workers)| {
                let from = self.fair.watermark(lane);
                (
                    Want {
                        lane,
                        from,
                        workers,
                    },
                    self.fair.generation(lane),
                )
            })
            .unzip();
        Some(Plan { wants, generations })
    }

    /// Ends a plan: what was leased is held, the rest of the reservations is given back. A lane that had less than was wanted is closed,
    /// unless something was heard of it since.
    pub fn settle(&mut self, plan: &Plan, leased: &[Leased]) {
        let mut by_lane: HashMap<Lane, Vec<&Leased>> = HashMap::new();
        for lease in leased {
            by_lane.entry(lease.lane).or_default().push(lease);
        }
        for (want, generation) in plan.wants.iter().zip(&plan.generations) {
            let got = by_lane.get(&want.lane).map_or(&[][..], Vec::as_slice);
            for (worker, _) in &want.workers {
                if let Some(session) = self.sessions.get_mut(worker) {
                    // A session that took another's place since has reserved nothing.
                    session.reserved = (session.reserved - 1).max(0);
                }
                self.fair.held(want.lane.project, -1);
            }
            for lease in got {
                self.hold(&lease.worker, lease.run, lease.epoch, want.lane.project);
            }
            if let Some(last) = got.iter().map(|l| l.place).max() {
                self.fair.advanced(want.lane, last, *generation);
            }
            if got.len() < want.workers.len() {
                self.fair.closed(want.lane, *generation);
            }
        }
    }
}
