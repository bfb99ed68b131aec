//! What the task of a lease can do about it: report, ask whether it is live, remove the workload.
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use ck8s_proto::runs::v1::{HandedBack, Lost, Note, NoteKind, transition::Change};
use ck8s_rpc::convert::reason_to_pb;
use ck8s_types::RunReason;

use crate::{
    context::WorkerContext,
    domain::{Backoff, Grant, LeaseKey, LeaseSignals, Moment},
    log::Mask,
};

/// The first wait before an executor is asked again, and the longest.
const EXECUTOR_BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Returns the waits between attempts to start, adopt or remove a workload.
pub(super) fn executor_backoff() -> Backoff {
    Backoff::new(EXECUTOR_BACKOFF.0, EXECUTOR_BACKOFF.1)
}

/// Why a task stops before its workload has ended.
pub(super) enum Stop {
    /// The server canceled the lease; the workload has this grace.
    Canceled(Duration),
    /// The worker drains.
    Draining,
}

/// What becomes of the workload when its lease is handed back.
pub(super) enum HandBack {
    /// It goes on, and another worker adopts it.
    WorkloadGoesOn,
    /// It is gone.
    WorkloadGone,
}

/// One lease, and what belongs to it.
pub(super) struct LeaseHandle {
    pub(super) context: Arc<WorkerContext>,
    pub(super) key: LeaseKey,
    pub(super) signals: Arc<LeaseSignals>,
    pub(super) grant: Grant,
    /// Masks what is said about the workload, from the moment when its secrets are known. Before, nobody has seen them.
    pub(super) mask: OnceLock<Mask>,
}

impl LeaseHandle {
    /// Queues a transition for the server. What it says of the workload's own words is masked.
    pub(super) fn report(&self, mut change: Change) {
        let mask = self.mask.get().cloned().unwrap_or_default();
        match &mut change {
            Change::Finished(finished) => finished.message = mask.text(&finished.message),
            Change::Lost(lost) => lost.message = mask.text(&lost.message),
            Change::Note(note) => note.message = mask.text(&note.message),
            Change::Running(_) | Change::Released(_) | Change::HandedBack(_) => {}
        }
        self.context.leases.report(self.key, change);
    }

    /// Tells people something of a run that goes on.
    pub(super) fn note(&self, kind: NoteKind, message: String) {
        let kind = kind.into();
        self.report(Change::Note(Note { kind, message }));
    }

    /// Reports that there is no workload.
    pub(super) fn report_lost(&self, reason: RunReason, message: String) {
        self.report(Change::Lost(Lost {
            message,
            reason: reason_to_pb(reason).into(),
        }));
    }

    /// Hands the lease back to the server.
    pub(super) fn hand_back(&self, workload: &HandBack) {
        self.report(Change::HandedBack(HandedBack {
            workload_goes_on: matches!(workload, HandBack::WorkloadGoesOn),
        }));
    }

    /// Whether the lease has not expired.
    pub(super) fn is_live(&self) -> bool {
        self.context.leases.live_lease(self.key).is_some()
    }

    /// Waits until the lease is live: nothing is started under a lease that may have expired.
    pub(super) async fn until_live(&self) {
        let mut expiry = self.signals.expiry.subscribe();
        // The sender lives as long as this task.
        let _ = expiry.wait_for(|expiry| *expiry > Moment::now()).await;
    }

    /// Waits until the server cancels the lease or the worker drains.
    pub(super) async fn stopped(&self) -> Stop {
        let mut cancel = self.signals.cancel.subscribe();
        let canceled = async {
            let grace = cancel.wait_for(Option::is_some).await;
            grace.ok().and_then(|grace| *grace)
        };
        tokio::select! {
            biased;
            grace = canceled => Stop::Canceled(grace.unwrap_or_default()),
            () = self.context.drain.cancelled() => Stop::Draining,
        }
    }

    /// Removes the workload, and tries until it is certain that it is gone. A workload that a newer lease holds stays:
    /// the server is about to revoke this one.
    pub(super) async fn remove_workload(&self, grace: Duration) {
        let mut backoff = executor_backoff();
        loop {
            let lease = self.context.leases.lease(self.key);
            let epoch = lease.map_or(self.grant.epoch, |lease| lease.epoch);
            let executor = &self.context.executor;
            let removed = executor.remove(&self.grant.workload, Some(epoch), grace);
            let Err(error) = removed.await else { return };
            tracing::warn!(run.id = %self.key.run_id, %error, "a workload cannot be removed yet");
            tokio::time::sleep(backoff.next()).await;
        }
    }
}
