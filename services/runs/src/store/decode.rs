//! From columns to the types of the domain.
use ck8s_types::{Epoch, InvalidId, LeaseRef, RunId, WorkerId};

/// A worker's id. The database checks it by the same rule, so that this fails only if the rules differ.
pub(super) fn worker_id(column: String) -> sqlx::Result<WorkerId> {
    WorkerId::try_from(column).map_err(|e: InvalidId| sqlx::Error::Decode(Box::new(e)))
}

/// The name of a lease.
pub(super) fn lease_ref(run_id: impl Into<RunId>, epoch: i64) -> LeaseRef {
    LeaseRef {
        run_id: run_id.into(),
        epoch: Epoch(epoch),
    }
}
