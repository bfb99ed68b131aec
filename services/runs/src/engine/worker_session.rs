//! A worker's stream here: what it holds, what it can take, and the frames that go to it.
use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicU64, Ordering},
};

use ck8s_types::{LeaseRef, ProjectId, RunId, RunReason, WorkerId};
use time::OffsetDateTime;
use tokio::sync::mpsc;

use crate::{
    domain::{
        Grant, GrantPurpose, Registration, RevokeCause, ServerFrame, StreamEnd, StreamId,
        WorkerHello,
    },
    error::RunsError,
};

/// Heartbeats in a row that may leave out a lease. At this many its worker has not heard of the lease, or has forgotten
/// it.
const MAX_MISSED_HEARTBEATS: u8 = 2;

/// A worker's stream here.
pub(crate) struct WorkerSession {
    pub id: StreamId,
    pub hello: WorkerHello,
    pub leases: HashMap<RunId, SessionLease>,
    /// Leases of the worker that the reaper found in the database at its last sweep, and not in `leases`.
    pub unknown_leases: HashSet<LeaseRef>,
    /// Leases that were canceled before the worker was told of them: their grants say so.
    canceled: HashSet<LeaseRef>,
    /// Placements that are planned and not leased yet.
    pub reserved: i32,
    /// Somebody asked that it takes no more work.
    pub draining: bool,
    /// How often `draining` was set here: what a sweep read before that counts less.
    pub drain_changes: u64,
    /// It has said Drain on this stream: it goes. Unlike `draining`, nobody can undo that.
    pub leaving: bool,
    /// Until when its leases live, as last stored.
    pub lease_until: OffsetDateTime,
    labels: HashSet<String>,
    frames: mpsc::UnboundedSender<Result<ServerFrame, RunsError>>,
}

/// A lease that a worker holds.
#[derive(Clone, Copy)]
pub(crate) struct SessionLease {
    pub lease: LeaseRef,
    pub project: ProjectId,
    /// The reaper saw it releasing at its last sweep.
    pub seen_releasing: bool,
    /// The reaper did not find it in the database at its last sweep.
    pub seen_missing: bool,
    /// Heartbeats in a row that did not name it.
    pub missed_heartbeats: u8,
    /// Its grant was sent: the worker knows of it.
    pub is_granted: bool,
}

/// The number of the next stream.
static NEXT_STREAM: AtomicU64 = AtomicU64::new(1);

impl WorkerSession {
    /// The session of a worker that has just connected.
    pub(crate) fn new(
        hello: WorkerHello,
        registration: Registration,
        frames: mpsc::UnboundedSender<Result<ServerFrame, RunsError>>,
    ) -> Self {
        Self {
            id: StreamId(NEXT_STREAM.fetch_add(1, Ordering::Relaxed)),
            labels: hello.labels.iter().cloned().collect(),
            leases: HashMap::new(),
            unknown_leases: HashSet::new(),
            canceled: HashSet::new(),
            reserved: 0,
            draining: registration.draining,
            drain_changes: 0,
            leaving: false,
            lease_until: registration.lease_until,
            hello,
            frames,
        }
    }

    /// The worker's id.
    pub(crate) fn worker(&self) -> &WorkerId {
        &self.hello.id
    }

    /// Whether it may be given work.
    pub(crate) fn takes_work(&self) -> bool {
        !self.draining && !self.leaving
    }

    /// How many more leases it can take.
    pub(crate) fn free_capacity(&self) -> i32 {
        if !self.takes_work() {
            return 0;
        }
        self.hello.capacity - self.reserved - i32::try_from(self.leases.len()).unwrap_or(i32::MAX)
    }

    /// Whether it has all of these labels.
    pub(crate) fn has_labels(&self, labels: &[String]) -> bool {
        labels.iter().all(|l| self.labels.contains(l))
    }

    /// Adds a lease that the worker holds from now on. False: it held one of this run before.
    pub(crate) fn add_lease(&mut self, lease: LeaseRef, project: ProjectId) -> bool {
        let entry = SessionLease {
            lease,
            project,
            seen_releasing: false,
            seen_missing: false,
            missed_heartbeats: 0,
            is_granted: false,
        };
        self.leases.insert(lease.run_id, entry).is_none()
    }

    /// Adds a lease of which the worker knows.
    pub(crate) fn add_held_lease(&mut self, lease: LeaseRef, project: ProjectId) {
        self.add_lease(lease, project);
        if let Some(held) = self.leases.get_mut(&lease.run_id) {
            held.is_granted = true;
        }
    }

    /// Whether the worker holds this very lease.
    pub(crate) fn holds(&self, lease: LeaseRef) -> bool {
        self.leases
            .get(&lease.run_id)
            .is_some_and(|l| l.lease == lease)
    }

    /// Compares the leases that a heartbeat names with those that are held here, and revokes what is not the worker's
    /// any more. Returns the runs that it has left out too often.
    pub(crate) fn compare(&mut self, names: &[LeaseRef]) -> HashSet<RunId> {
        for lease in names {
            if !self.holds(*lease) {
                self.revoke(*lease, RevokeCause::StaleEpoch);
            }
        }
        let named: HashSet<&RunId> = names.iter().map(|lease| &lease.run_id).collect();
        let mut forgotten = HashSet::new();
        for (run, held) in &mut self.leases {
            held.missed_heartbeats = if named.contains(run) {
                0
            } else {
                held.missed_heartbeats + 1
            };
            if held.missed_heartbeats == MAX_MISSED_HEARTBEATS {
                held.missed_heartbeats = 0;
                forgotten.insert(*run);
            }
        }
        forgotten
    }

    /// Sends a frame. False: the stream is gone.
    pub(crate) fn send(&self, frame: ServerFrame) -> bool {
        self.frames.send(Ok(frame)).is_ok()
    }

    /// Tells the worker to stop a workload. If it was not told of the lease yet, its grant is going to say so.
    pub(crate) fn cancel(&mut self, lease: LeaseRef, reason: RunReason) -> bool {
        let is_granted = self.leases.get(&lease.run_id);
        if is_granted.is_some_and(|held| held.lease == lease && held.is_granted) {
            return self.send(ServerFrame::Cancel { lease, reason });
        }
        self.canceled.insert(lease);
        self.send(ServerFrame::Cancel { lease, reason })
    }

    /// Tells the worker of a lease. What was canceled meanwhile, or has ended, is not to be started any more.
    pub(crate) fn grant(&mut self, mut grant: Grant) {
        let lease = grant.lease;
        if self.canceled.remove(&lease) || grant.run.state.is_terminal() {
            grant.purpose = GrantPurpose::CleanUp;
        }
        if let Some(held) = self.leases.get_mut(&lease.run_id) {
            held.is_granted |= held.lease == lease;
        }
        grant.lease_until = self.lease_until;
        self.send(ServerFrame::Grant(grant));
    }

    /// Forgets what was canceled of leases that the database does not know any more.
    pub(crate) fn retain_canceled(&mut self, stored: &HashSet<LeaseRef>) {
        self.canceled.retain(|lease| stored.contains(lease));
    }

    /// Tells the worker that a lease is not its own any more.
    pub(crate) fn revoke(&self, lease: LeaseRef, cause: RevokeCause) {
        self.send(ServerFrame::Revoke { lease, cause });
    }

    /// Ends the stream.
    pub(crate) fn close(&self, end: StreamEnd) {
        let _ = self.frames.send(Err(RunsError::StreamEnded(end)));
    }
}
