//! The scheduler's view: the workers that are connected here, what they hold, the lanes that may have runs for them,
//! and the free slots. In memory, behind one lock, and only a view: the database decides.
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use ck8s_types::{LeaseRef, ProjectId, RunId, RunReason, Slot, WorkerId};

use super::WorkerSession;
use crate::domain::{FairQueue, FreeSlots, PoolId, QueuedRun, StreamEnd, StreamId};

/// Which workers, lanes and slots there are to put together.
#[derive(Default)]
pub(crate) struct Scheduler {
    pub queue: FairQueue,
    pub slots: FreeSlots,
    pub(super) sessions: HashMap<WorkerId, WorkerSession>,
    pub(super) pools: HashMap<PoolId, Vec<String>>,
    /// The numbers that new runs of this process use, and when each was looked up.
    looked_up_pools: HashMap<Vec<String>, (PoolId, Instant)>,
}

impl Scheduler {
    /// Remembers which labels pools stand for.
    pub(crate) fn add_pools(&mut self, pools: impl IntoIterator<Item = (PoolId, Vec<String>)>) {
        self.pools.extend(pools);
    }

    /// Remembers the number of a set of labels that was looked up at this time, for new runs.
    pub(crate) fn add_looked_up_pool(&mut self, pool: PoolId, labels: Vec<String>, at: Instant) {
        self.pools.insert(pool, labels.clone());
        self.looked_up_pools.insert(labels, (pool, at));
    }

    /// Returns the number of a set of labels, where it was looked up no longer ago than this.
    pub(crate) fn pool_of(&self, labels: &[String], max_age: Duration) -> Option<PoolId> {
        let (pool, at) = self.looked_up_pools.get(labels)?;
        (at.elapsed() < max_age).then_some(*pool)
    }

    /// Forgets pools that were removed.
    pub(crate) fn forget_pools(&mut self, removed: &[PoolId]) {
        self.pools.retain(|pool, _| !removed.contains(pool));
        self.looked_up_pools
            .retain(|_, (pool, _)| !removed.contains(pool));
    }

    /// Whether the labels of a pool are known here.
    pub(crate) fn knows_pool(&self, pool: PoolId) -> bool {
        self.pools.contains_key(&pool)
    }

    /// The session of a worker.
    pub(crate) fn session(&mut self, worker: &WorkerId) -> Option<&mut WorkerSession> {
        self.sessions.get_mut(worker)
    }

    /// The session of a worker, if it is on this stream.
    pub(crate) fn session_on(
        &mut self,
        worker: &WorkerId,
        stream: StreamId,
    ) -> Option<&mut WorkerSession> {
        self.session(worker).filter(|session| session.id == stream)
    }

    /// All sessions.
    pub(crate) fn sessions(&mut self) -> impl Iterator<Item = &mut WorkerSession> {
        self.sessions.values_mut()
    }

    /// The ids of all workers that are connected here.
    pub(crate) fn workers(&self) -> Vec<WorkerId> {
        self.sessions.keys().cloned().collect()
    }

    /// Adds a worker that has connected; its session before, if any, ends.
    pub(crate) fn add_session(&mut self, session: WorkerSession) {
        for lease in session.leases.values() {
            self.queue.add_leases(lease.project, 1);
        }
        if let Some(before) = self.sessions.insert(session.worker().clone(), session) {
            self.uncount_leases(&before);
            before.close(StreamEnd::Replaced);
        }
    }

    /// Ends the stream of a worker of which no heartbeat came in time: it gets nothing more until it says Hello again.
    pub(crate) fn expire_session(&mut self, worker: &WorkerId) {
        if let Some(session) = self.sessions.remove(worker) {
            self.uncount_leases(&session);
            session.close(StreamEnd::Expired);
        }
    }

    /// Removes a session that has ended. False: a newer one took its place.
    pub(crate) fn remove_session(&mut self, worker: &WorkerId, stream: StreamId) -> bool {
        if self.session_on(worker, stream).is_none() {
            return false;
        }
        if let Some(session) = self.sessions.remove(worker) {
            self.uncount_leases(&session);
        }
        true
    }

    fn uncount_leases(&mut self, session: &WorkerSession) {
        for lease in session.leases.values() {
            self.queue.add_leases(lease.project, -1);
        }
    }

    /// Adds a lease that a worker holds from now on.
    pub(crate) fn add_lease(&mut self, worker: &WorkerId, lease: LeaseRef, project: ProjectId) {
        if let Some(session) = self.sessions.get_mut(worker)
            && session.add_lease(lease, project)
        {
            self.queue.add_leases(project, 1);
        }
    }

    /// Removes a worker's lease whose slot is free now.
    pub(crate) fn release_lease(
        &mut self,
        worker: &WorkerId,
        run: RunId,
        project: ProjectId,
        slot: Slot,
    ) {
        self.take_lease(worker, run, project);
        self.slots.release(project, slot);
        self.queue.reopen(project);
    }

    /// Removes a worker's lease. What became of its slot is not known here.
    pub(crate) fn drop_lease(&mut self, worker: &WorkerId, run: RunId, project: ProjectId) {
        self.take_lease(worker, run, project);
        self.slots_may_be_free(project);
    }

    fn take_lease(&mut self, worker: &WorkerId, run: RunId, project: ProjectId) {
        if self
            .sessions
            .get_mut(worker)
            .is_some_and(|s| s.leases.remove(&run).is_some())
        {
            self.queue.add_leases(project, -1);
        }
    }

    /// Notes that a run waits.
    pub(crate) fn run_queued(&mut self, run: QueuedRun) {
        self.queue.push(run.lane, run.position);
    }

    /// Notes that slots of a project may have become free.
    pub(crate) fn slots_may_be_free(&mut self, project: ProjectId) {
        self.slots.mark_stale(project);
        self.queue.reopen(project);
    }

    /// Notes that a project's number of slots changed.
    pub(crate) fn slots_changed(&mut self, project: ProjectId) {
        self.slots.forget(project);
        self.queue.reopen(project);
    }

    /// Tells a worker to stop a workload. False: it has no stream here.
    pub(crate) fn cancel(&mut self, worker: &WorkerId, lease: LeaseRef, reason: RunReason) -> bool {
        self.sessions
            .get_mut(worker)
            .is_some_and(|session| session.cancel(lease, reason))
    }
}
