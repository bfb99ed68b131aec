//! Grants: what workers are told about the leases that they hold from now on.
use std::collections::HashMap;

use ck8s_types::{LeaseRef, RunId, Slot, WorkerId};

use super::Engine;
use crate::{
    domain::{Grant, GrantPurpose, Lease, LeasePhase, NewLease, Run, RunningSince, TakenLease},
    error::RunsError,
    store::runs,
};

/// A grant to send.
struct PendingGrant<'a> {
    lease: LeaseRef,
    slot: Slot,
    worker: &'a WorkerId,
    purpose: GrantPurpose,
    /// Since when the workload that is taken over has been running.
    running: Option<RunningSince>,
}

/// Sends the grants of leases that were just made. `known`: runs that were made in the same transaction, and need not
/// be read.
pub(crate) async fn send_grants(
    engine: &Engine,
    leases: &[NewLease],
    known: HashMap<RunId, Run>,
) -> Result<(), RunsError> {
    let due = leases
        .iter()
        .map(|l| PendingGrant {
            lease: l.lease,
            slot: l.slot,
            worker: &l.worker,
            purpose: GrantPurpose::Start,
            running: None,
        })
        .collect();
    send(engine, due, known).await
}

/// Sends grants again that were lost with a stream.
pub(crate) async fn resend_grants(engine: &Engine, leases: &[Lease]) -> Result<(), RunsError> {
    let due = leases
        .iter()
        .filter_map(|l| {
            Some(PendingGrant {
                lease: l.lease,
                slot: l.slot,
                worker: l.worker.as_ref()?,
                purpose: GrantPurpose::Start,
                running: None,
            })
        })
        .collect();
    send(engine, due, HashMap::new()).await
}

/// Sends the grant of an orphaned lease that a worker has taken over under a new epoch.
pub(crate) async fn send_takeover_grant(
    engine: &Engine,
    orphan: &Lease,
    taken: TakenLease,
    worker: &WorkerId,
) -> Result<(), RunsError> {
    let purpose = match orphan.phase {
        LeasePhase::Releasing => GrantPurpose::CleanUp,
        LeasePhase::Starting | LeasePhase::Running => GrantPurpose::TakeOver,
    };
    let due = PendingGrant {
        lease: taken.lease,
        slot: orphan.slot,
        worker,
        purpose,
        running: taken.running,
    };
    send(engine, vec![due], HashMap::new()).await
}

async fn send(
    engine: &Engine,
    due: Vec<PendingGrant<'_>>,
    mut known: HashMap<RunId, Run>,
) -> Result<(), RunsError> {
    let missing: Vec<RunId> = due
        .iter()
        .map(|d| d.lease.run_id)
        .filter(|id| !known.contains_key(id))
        .collect();
    if !missing.is_empty() {
        let runs = runs::get_many(&mut *engine.pool.acquire().await?, missing).await?;
        known.extend(runs.into_iter().map(|r| (r.id, r)));
    }
    let mut grants = Vec::with_capacity(due.len());
    for due in due {
        let Some(run) = known.remove(&due.lease.run_id) else {
            continue;
        };
        let project_slug = engine.peers.slug(run.project).await?;
        grants.push((due, run, project_slug));
    }
    let mut scheduler = engine.scheduler();
    for (due, run, project_slug) in grants {
        if let Some(session) = scheduler.session(due.worker) {
            session.grant(Grant {
                lease: due.lease,
                slot: due.slot,
                worker: due.worker.clone(),
                purpose: due.purpose,
                run,
                project_slug,
                lease_until: session.lease_until,
                running: due.running,
            });
        }
        // Without a stream the lease waits for the worker's next Hello, or expires.
    }
    Ok(())
}
