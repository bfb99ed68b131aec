//! The slots of projects, as people see them.
use std::time::Duration;

use ck8s_types::{LeaseRef, ProjectId, Slot, WorkerId};
use time::OffsetDateTime;

use super::ExecutorDomain;

/// A slot and the lease on it; None: it is free.
#[derive(Clone, Debug)]
pub(crate) struct SlotStatus {
    pub project: ProjectId,
    pub slot: Slot,
    pub lease: Option<SlotLease>,
}

/// The lease on a slot.
#[derive(Clone, Debug)]
pub(crate) struct SlotLease {
    pub lease: LeaseRef,
    pub worker: Option<WorkerId>,
    /// The run has ended, and its workload is not known to be gone.
    pub is_releasing: bool,
    pub leased_at: OffsetDateTime,
    /// Until when it lives without another heartbeat.
    pub lease_until: Option<OffsetDateTime>,
    /// When its run must have started or ended.
    pub deadline: OffsetDateTime,
}

/// The lease on a slot that somebody wants to free.
#[derive(Clone, Debug)]
pub(crate) struct HeldSlot {
    pub lease: LeaseRef,
    /// The worker that holds the lease. None: it is lost.
    pub worker: Option<WorkerId>,
    /// Its run has ended.
    pub is_releasing: bool,
    /// Where its workload lives.
    pub domain: ExecutorDomain,
    /// For how long its worker has been lost.
    pub orphaned_for: Duration,
}

/// Why a slot is not freed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReleaseRefusal {
    /// A worker works on its run.
    Held(WorkerId),
    /// Nobody knows that its workload is gone.
    InDoubt,
}

impl HeldSlot {
    /// Checks that the slot may be freed by hand. `process_gone`: how long after its lease's end a process is certainly
    /// gone. Of a workload in a cluster nobody knows but that cluster's workers, so that it takes force.
    pub(crate) fn check_release(
        &self,
        force: bool,
        process_gone: Duration,
    ) -> Result<(), ReleaseRefusal> {
        if let (Some(worker), false) = (&self.worker, self.is_releasing) {
            return Err(ReleaseRefusal::Held(worker.clone()));
        }
        let is_gone =
            self.worker.is_none() && self.domain.is_process() && self.orphaned_for >= process_gone;
        if is_gone || force {
            Ok(())
        } else {
            Err(ReleaseRefusal::InDoubt)
        }
    }
}

#[cfg(test)]
mod tests {
    use ck8s_types::{Epoch, RunId};

    use super::*;

    const GONE: Duration = Duration::from_secs(3);

    fn held(executor: &str, worker: Option<&str>, is_releasing: bool) -> HeldSlot {
        HeldSlot {
            lease: LeaseRef {
                run_id: RunId::new(),
                epoch: Epoch::FIRST,
            },
            worker: worker.map(|name| name.parse().unwrap()),
            is_releasing,
            domain: ExecutorDomain::of(executor, &[]).unwrap(),
            orphaned_for: GONE,
        }
    }

    #[test]
    fn a_slot_of_a_run_that_a_worker_works_on_is_never_freed_by_hand() {
        let slot = held("kubernetes", Some("w"), false);
        for force in [false, true] {
            let refusal = ReleaseRefusal::Held("w".parse().unwrap());
            assert_eq!(slot.check_release(force, GONE), Err(refusal));
        }
    }

    #[test]
    fn a_workload_that_may_live_takes_force() {
        let doubtful = [
            held("kubernetes", None, true),
            held("kubernetes", None, false),
            held("kubernetes", Some("w"), true),
            held("process", Some("w"), true),
        ];
        for slot in doubtful {
            assert_eq!(
                slot.check_release(false, GONE),
                Err(ReleaseRefusal::InDoubt)
            );
            assert_eq!(slot.check_release(true, GONE), Ok(()));
        }
        let mut process = held("process", None, true);
        assert_eq!(process.check_release(false, GONE), Ok(()));
        process.orphaned_for = Duration::from_secs(1);
        assert_eq!(
            process.check_release(false, GONE),
            Err(ReleaseRefusal::InDoubt)
        );
    }
}
