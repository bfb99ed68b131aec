//! The leases that this worker holds, and the transitions that the server has not acknowledged yet. It does no I/O.
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use ck8s_proto::runs::v1::{HandedBack, Lost, Released, Running, Transition, transition::Change};
use ck8s_types::{Epoch, LeaseRef, RunId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    convert::lease_to_pb,
    domain::{LeaseKey, LeaseSignals, Moment},
};

/// Bounds the notes of one lease: each becomes an event.
const MAX_NOTES: u32 = 100;

/// What a grant means to the table.
pub(crate) enum GrantOutcome {
    /// The lease is in the table already.
    Duplicate,
    /// The workload that runs here continues under a new epoch.
    Renewed,
    /// The lease is new: it needs a task.
    New(LeaseKey, Arc<LeaseSignals>),
}

/// A lease in the table.
struct LeaseEntry {
    serial: u64,
    epoch: Epoch,
    attempt: i32,
    expiry: Moment,
    /// Everything that was reported, so that it can be reported again under a newer epoch.
    reports: Vec<Change>,
    signals: Arc<LeaseSignals>,
    /// How many notes were reported.
    notes: u32,
}

/// A transition that the server has not acknowledged.
struct PendingTransition {
    sequence: i64,
    lease: LeaseKey,
    change: Change,
    /// Whether it was sent on the current stream.
    sent: bool,
}

#[derive(Default)]
struct TableState {
    last_sequence: i64,
    last_serial: u64,
    leases: HashMap<RunId, LeaseEntry>,
    pending: VecDeque<PendingTransition>,
    takes_notes: bool,
}

/// The lease table, shared by the stream and all tasks.
#[derive(Default)]
pub(crate) struct LeaseTable {
    state: Mutex<TableState>,
    /// Notified when there may be transitions to send.
    pub(crate) wake: Notify,
}

/// Whether nothing may be reported about a lease after this transition.
fn is_final(change: &Change) -> bool {
    matches!(
        change,
        Change::Released(Released {})
            | Change::Lost(Lost { .. })
            | Change::HandedBack(HandedBack { .. })
    )
}

impl LeaseTable {
    /// Enters a lease that was granted until `expiry`.
    pub(crate) fn enter_grant(
        &self,
        lease: LeaseRef,
        attempt: i32,
        expiry: Moment,
    ) -> GrantOutcome {
        let LeaseRef { run_id, epoch } = lease;
        let mut state = self.state.lock();
        if let Some(entry) = state.leases.get_mut(&run_id) {
            if epoch <= entry.epoch {
                return GrantOutcome::Duplicate;
            }
            if entry.attempt == attempt {
                entry.renew_under(epoch, expiry);
                let serial = entry.serial;
                let reports = entry.reports.clone();
                state.requeue(LeaseKey { run_id, serial }, reports);
                self.wake.notify_one();
                return GrantOutcome::Renewed;
            }
            state.drop_lease(run_id);
        }
        state.last_serial += 1;
        let key = LeaseKey {
            run_id,
            serial: state.last_serial,
        };
        let signals = Arc::new(LeaseSignals::new(expiry));
        let entry = LeaseEntry {
            serial: key.serial,
            epoch,
            attempt,
            expiry,
            reports: Vec::new(),
            signals: Arc::clone(&signals),
            notes: 0,
        };
        state.leases.insert(run_id, entry);
        GrantOutcome::New(key, signals)
    }

    /// Queues a transition. Without effect if the lease is no longer held.
    pub(crate) fn report(&self, lease: LeaseKey, change: Change) {
        let mut state = self.state.lock();
        let takes_notes = state.takes_notes;
        let Some(entry) = state.entry_mut(lease) else {
            return;
        };
        if matches!(change, Change::Note(_)) {
            if !takes_notes || entry.notes >= MAX_NOTES {
                return;
            }
            entry.notes += 1;
        } else {
            entry.reports.push(change.clone());
        }
        state.enqueue(lease, change);
        self.wake.notify_one();
    }

    /// Takes the transitions that are to be sent now, in order: each once per stream, and only under live leases.
    pub(crate) fn take_unsent(&self, now: Moment) -> Vec<Transition> {
        let mut state = self.state.lock();
        let TableState {
            leases, pending, ..
        } = &mut *state;
        let mut unsent = Vec::new();
        for transition in pending.iter_mut().filter(|t| !t.sent) {
            let run_id = transition.lease.run_id;
            let Some(entry) = leases.get(&run_id).filter(|e| e.expiry > now) else {
                continue;
            };
            transition.sent = true;
            let lease = LeaseRef {
                run_id,
                epoch: entry.epoch,
            };
            unsent.push(Transition {
                sequence: transition.sequence,
                lease: Some(lease_to_pb(lease)),
                change: Some(transition.change.clone()),
            });
        }
        unsent
    }

    /// Removes a transition that the server has stored. A final one ends its lease.
    pub(crate) fn acknowledge(&self, sequence: i64) {
        let mut state = self.state.lock();
        let Some(at) = state.pending.iter().position(|t| t.sequence == sequence) else {
            return;
        };
        let Some(stored) = state.pending.remove(at) else {
            return;
        };
        if is_final(&stored.change) && state.entry(stored.lease).is_some() {
            state.drop_lease(stored.lease.run_id);
        }
        self.wake.notify_one();
    }

    /// Drops a lease that the server has revoked. Returns whether this worker held it.
    pub(crate) fn revoke(&self, lease: LeaseRef) -> bool {
        let mut state = self.state.lock();
        let entry = state.leases.get(&lease.run_id);
        let held = entry.is_some_and(|e| e.epoch <= lease.epoch);
        if held {
            state.drop_lease(lease.run_id);
        }
        self.wake.notify_one();
        held
    }

    /// Signals a lease's task to stop the workload.
    pub(crate) fn cancel(&self, lease: LeaseRef, grace: Duration) {
        let state = self.state.lock();
        let entry = state.leases.get(&lease.run_id);
        if let Some(entry) = entry.filter(|e| e.epoch == lease.epoch) {
            entry.signals.cancel.send_replace(Some(grace));
        }
    }

    /// Extends those leases that are still held under the same epoch.
    pub(crate) fn renew(&self, leases: &[LeaseRef], expiry: Moment) {
        let mut state = self.state.lock();
        for lease in leases {
            let entry = state.leases.get_mut(&lease.run_id);
            if let Some(entry) = entry.filter(|e| e.epoch == lease.epoch) {
                entry.renew_until(expiry);
            }
        }
        self.wake.notify_one();
    }

    /// Marks all unacknowledged transitions as unsent, for a new stream. A server that knows no notes gets none.
    pub(crate) fn resend(&self, takes_notes: bool) {
        let mut state = self.state.lock();
        state.takes_notes = takes_notes;
        state
            .pending
            .retain(|t| takes_notes || !matches!(t.change, Change::Note(_)));
        for transition in &mut state.pending {
            transition.sent = false;
        }
    }

    /// Returns all leases.
    pub(crate) fn leases(&self) -> Vec<LeaseRef> {
        let state = self.state.lock();
        let lease = |(run_id, entry): (&RunId, &LeaseEntry)| LeaseRef {
            run_id: *run_id,
            epoch: entry.epoch,
        };
        state.leases.iter().map(lease).collect()
    }

    /// Returns the lease under which something may be sent now.
    pub(crate) fn live_lease(&self, key: LeaseKey) -> Option<LeaseRef> {
        let state = self.state.lock();
        let entry = state.entry(key).filter(|e| e.expiry > Moment::now())?;
        Some(entry.lease(key))
    }

    /// Returns the lease that is held, live or not.
    pub(crate) fn lease(&self, key: LeaseKey) -> Option<LeaseRef> {
        Some(self.state.lock().entry(key)?.lease(key))
    }

    /// Returns the attempt of a run whose lease is held.
    pub(crate) fn attempt(&self, run_id: RunId) -> Option<i32> {
        self.state.lock().leases.get(&run_id).map(|e| e.attempt)
    }

    /// Whether no lease is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().leases.is_empty()
    }
}

impl LeaseEntry {
    fn lease(&self, key: LeaseKey) -> LeaseRef {
        LeaseRef {
            run_id: key.run_id,
            epoch: self.epoch,
        }
    }

    fn renew_until(&mut self, expiry: Moment) {
        if expiry > self.expiry {
            self.expiry = expiry;
            self.signals.expiry.send_replace(expiry);
        }
    }

    fn renew_under(&mut self, epoch: Epoch, expiry: Moment) {
        self.epoch = epoch;
        self.renew_until(expiry);
        for change in &mut self.reports {
            if let Change::Running(Running { adopted, .. }) = change {
                *adopted = true;
            }
        }
    }
}

impl TableState {
    fn entry(&self, key: LeaseKey) -> Option<&LeaseEntry> {
        let entry = self.leases.get(&key.run_id)?;
        (entry.serial == key.serial).then_some(entry)
    }

    fn entry_mut(&mut self, key: LeaseKey) -> Option<&mut LeaseEntry> {
        let entry = self.leases.get_mut(&key.run_id)?;
        (entry.serial == key.serial).then_some(entry)
    }

    fn enqueue(&mut self, lease: LeaseKey, change: Change) {
        self.last_sequence += 1;
        self.pending.push_back(PendingTransition {
            sequence: self.last_sequence,
            lease,
            change,
            sent: false,
        });
    }

    /// Replaces what waits for a lease by these reports.
    fn requeue(&mut self, lease: LeaseKey, reports: Vec<Change>) {
        self.pending.retain(|t| t.lease != lease);
        for change in reports {
            self.enqueue(lease, change);
        }
    }

    fn drop_lease(&mut self, run_id: RunId) {
        if let Some(entry) = self.leases.remove(&run_id) {
            entry.signals.ended.cancel();
        }
        self.pending.retain(|t| t.lease.run_id != run_id);
    }
}

#[cfg(test)]
mod tests;
