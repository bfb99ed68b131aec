//! The leases that this worker holds and the transitions that are not acknowledged yet. No async, no wire but the messages.
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ck8s_proto::runs::v1::{
    HandedBack, LeaseRef, Lost, Released, Running, Transition, transition::Change,
};
use ck8s_types::{Epoch, RunId};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// One holding of a run by this worker: granted again after it ended, a run has another serial.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct LeaseKey {
    pub(crate) run: RunId,
    pub(crate) serial: u64,
}

impl LeaseKey {
    pub(crate) fn at(self, epoch: i64) -> LeaseRef {
        LeaseRef {
            run_id: self.run.to_string(),
            epoch,
        }
    }
}

/// What the stream tells a run's task.
pub(crate) struct Control {
    /// The lease is lost for good: say nothing more.
    pub(crate) let_go: CancellationToken,
    /// Stop the workload, with this grace.
    pub(crate) cancel: watch::Sender<Option<Duration>>,
    /// Until when the lease lives unless it is renewed.
    pub(crate) until: watch::Sender<Instant>,
}

/// What a grant means here.
pub(crate) enum Granted {
    /// It is known already.
    Known,
    /// The workload that runs here goes on, under a new epoch.
    Renewed,
    /// A task is to be started.
    New(LeaseKey, Arc<Control>),
}

struct Held {
    serial: u64,
    epoch: Epoch,
    attempt: i32,
    until: Instant,
    /// All that was reported, so that it can be said again under a newer epoch.
    reports: Vec<Change>,
    control: Arc<Control>,
}

struct Waiting {
    sequence: i64,
    lease: LeaseKey,
    change: Change,
    sent: bool,
}

#[derive(Default)]
struct Inner {
    sequence: i64,
    serial: u64,
    held: HashMap<RunId, Held>,
    waiting: VecDeque<Waiting>,
}

/// The table; shared.
#[derive(Default)]
pub(crate) struct LeaseTable {
    inner: Mutex<Inner>,
    /// Something is to be sent.
    pub(crate) wake: Notify,
}

/// After these, nothing more is said about a lease.
fn is_final(change: &Change) -> bool {
    matches!(
        change,
        Change::Released(Released {})
            | Change::Lost(Lost { .. })
            | Change::HandedBack(HandedBack { .. })
    )
}

impl LeaseTable {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn granted(
        &self,
        run: RunId,
        epoch: Epoch,
        attempt: i32,
        until: Instant,
    ) -> Granted {
        let mut inner = self.inner();
        if let Some(held) = inner.held.get_mut(&run) {
            if epoch <= held.epoch {
                return Granted::Known;
            }
            if held.attempt == attempt {
                held.renew_under(epoch, until);
                let (lease, reports) = (
                    LeaseKey {
                        run,
                        serial: held.serial,
                    },
                    held.reports.clone(),
                );
                inner.waiting.retain(|w| w.lease != lease);
                for change in reports {
                    inner.enqueue(lease, change);
                }
                self.wake.notify_one();
                return Granted::Renewed;
            }
            inner.drop_lease(run);
        }
        inner.serial += 1;
        let key = LeaseKey {
            run,
            serial: inner.serial,
        };
        let control = Arc::new(Control {
            let_go: CancellationToken::new(),
            cancel: watch::Sender::new(None),
            until: watch::Sender::new(until),
        });
        let held = Held {
            serial: key.serial,
            epoch,
            attempt,
            until,
            reports: Vec::new(),
            control: Arc::clone(&control),
        };
        inner.held.insert(run, held);
        Granted::New(key, control)
    }

    /// Queues a transition; without effect if the lease is not held any more.
    pub(crate) fn report(&self, lease: LeaseKey, change: Change) {
        let mut inner = self.inner();
        let Some(held) = inner
            .held
            .get_mut(&lease.run)
            .filter(|h| h.serial == lease.serial)
        else {
            return;
        };
        held.reports.push(change.clone());
        inner.enqueue(lease, change);
        self.wake.notify_one();
    }

    /// The transitions to send now: each once per session, only under live leases, in order.
    pub(crate) fn to_send(&self, now: Instant) -> Vec<Transition> {
        let mut inner = self.inner();
        let Inner { held, waiting, .. } = &mut *inner;
        let mut out = Vec::new();
        for waiting in waiting.iter_mut().filter(|w| !w.sent) {
            let Some(held) = held.get(&waiting.lease.run).filter(|h| h.until > now) else {
                continue;
            };
            waiting.sent = true;
            out.push(Transition {
                sequence: waiting.sequence,
                lease: Some(waiting.lease.at(held.epoch.0)),
                change: Some(waiting.change.clone()),
            });
        }
        out
    }

    pub(crate) fn acknowledged(&self, sequence: i64) {
        let mut inner = self.inner();
        let Some(at) = inner.waiting.iter().position(|w| w.sequence == sequence) else {
            return;
        };
        let Some(done) = inner.waiting.remove(at) else {
            return;
        };
        if is_final(&done.change)
            && inner
                .held
                .get(&done.lease.run)
                .is_some_and(|h| h.serial == done.lease.serial)
        {
            inner.drop_lease(done.lease.run);
        }
        self.wake.notify_one();
    }

    /// The lease is not this worker's any more; whether it was.
    pub(crate) fn revoked(&self, run: RunId, epoch: Epoch) -> bool {
        let mut inner = self.inner();
        let held = inner.held.get(&run).is_some_and(|h| h.epoch <= epoch);
        if held {
            inner.drop_lease(run);
        }
        self.wake.notify_one();
        held
    }

    pub(crate) fn canceled(&self, run: RunId, epoch: Epoch, grace: Duration) {
        if let Some(held) = self.inner().held.get(&run).filter(|h| h.epoch == epoch) {
            held.control.cancel.send_replace(Some(grace));
        }
    }

    /// Those of `leases` that are still held under the same epoch live until then.
    pub(crate) fn renewed(&self, leases: &[LeaseRef], until: Instant) {
        let mut inner = self.inner();
        for lease in leases {
            let Ok(run) = lease.run_id.parse() else {
                continue;
            };
            if let Some(held) = inner
                .held
                .get_mut(&run)
                .filter(|h| h.epoch.0 == lease.epoch)
            {
                held.renew_until(until);
            }
        }
        self.wake.notify_one();
    }

    /// A new stream: what was not acknowledged is sent again.
    pub(crate) fn resend(&self) {
        for waiting in &mut self.inner().waiting {
            waiting.sent = false;
        }
    }

    pub(crate) fn refs(&self) -> Vec<LeaseRef> {
        let inner = self.inner();
        inner
            .held
            .iter()
            .map(|(run, held)| LeaseRef {
                run_id: run.to_string(),
                epoch: held.epoch.0,
            })
            .collect()
    }

    /// The epoch under which something may be sent now.
    pub(crate) fn live_epoch(&self, lease: LeaseKey) -> Option<Epoch> {
        let inner = self.inner();
        let held = inner
            .held
            .get(&lease.run)
            .filter(|h| h.serial == lease.serial)?;
        (held.until > Instant::now()).then_some(held.epoch)
    }

    /// The epoch under which a lease is held, live or not.
    pub(crate) fn epoch(&self, lease: LeaseKey) -> Option<Epoch> {
        let inner = self.inner();
        inner
            .held
            .get(&lease.run)
            .filter(|h| h.serial == lease.serial)
            .map(|h| h.epoch)
    }

    /// The attempt of a run that is held.
    pub(crate) fn attempt(&self, run: RunId) -> Option<i32> {
        self.inner().held.get(&run).map(|h| h.attempt)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.inner().held.is_empty()
    }
}

impl Held {
    fn renew_until(&mut self, until: Instant) {
        if until > self.until {
            self.until = until;
            self.control.until.send_replace(until);
        }
    }

    fn renew_under(&mut self, epoch: Epoch, until: Instant) {
        self.epoch = epoch;
        self.renew_until(until);
        for change in &mut self.reports {
            if let Change::Running(Running { adopted, .. }) = change {
                *adopted = true;
            }
        }
    }
}

impl Inner {
    fn enqueue(&mut self, lease: LeaseKey, change: Change) {
        self.sequence += 1;
        self.waiting.push_back(Waiting {
            sequence: self.sequence,
            lease,
            change,
            sent: false,
        });
    }

    fn drop_lease(&mut self, run: RunId) {
        if let Some(held) = self.held.remove(&run) {
            held.control.let_go.cancel();
        }
        self.waiting.retain(|w| w.lease.run != run);
    }
}

#[cfg(test)]
mod tests;
