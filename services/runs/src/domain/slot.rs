//! The slots of projects, as people see them.
use ck8s_types::{LeaseRef, ProjectId, Slot, WorkerId};
use time::OffsetDateTime;

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
