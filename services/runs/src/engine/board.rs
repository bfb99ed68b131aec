//! The board: workers that are connected here, what they hold, the lanes that may have runs for them, and free slots. In memory, behind one lock,
//! and only a view: the database decides.
use std::collections::HashMap;

use ck8s_proto::runs::v1::{Cancel, lease_response::Frame};
use ck8s_rpc::{convert::reason_to_pb, status};
use ck8s_types::{Epoch, ProjectId, RunId, RunReason};

use super::sessions::Session;
use crate::{
    convert::lease_ref,
    domain::{FairQueue, FreeSlots, PoolId},
};

/// How long a workload may take to end by itself when it is canceled, in milliseconds.
const CANCEL_GRACE_MS: i64 = 2_000;

/// The board.
#[derive(Default)]
pub struct Board {
    pub fair: FairQueue,
    pub slots: FreeSlots,
    pub(super) sessions: HashMap<String, Session>,
    pub(super) pools: HashMap<PoolId, Vec<String>>,
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

    /// A worker's lease has ended and its slot is free.
    pub fn released(&mut self, worker: &str, run: RunId, project: ProjectId, slot: i32) {
        self.let_go(worker, run, project);
        self.slots.give(project, slot);
        self.fair.reopened(project);
    }

    /// A worker holds a lease no more. What became of its slot is not known here.
    pub fn drop_lease(&mut self, worker: &str, run: RunId, project: ProjectId) {
        self.let_go(worker, run, project);
        self.may_have_room(project);
    }

    /// Slots of a project may have become free.
    pub fn may_have_room(&mut self, project: ProjectId) {
        self.slots.forget(project);
        self.fair.reopened(project);
    }

    fn let_go(&mut self, worker: &str, run: RunId, project: ProjectId) {
        if self
            .sessions
            .get_mut(worker)
            .is_some_and(|s| s.held.remove(&run).is_some())
        {
            self.fair.held(project, -1);
        }
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
}
