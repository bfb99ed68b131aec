//! The comparison of worker sessions with the database: what other replicas, expiry or a lost acknowledgement changed
//! behind them.
use std::collections::{HashMap, HashSet};

use ck8s_types::{LeaseRef, ProjectId, RunReason, WorkerId};

use crate::{
    domain::{Lease, LeasePhase, RevokeCause, StreamId},
    engine::{Engine, Scheduler},
    error::RunsError,
    store::{leases, workers},
};

/// Ends the streams of workers of which no heartbeat came in time: stopped, or cut off without a word. Nothing may be
/// leased to them.
pub(super) async fn end_expired_sessions(engine: &Engine) -> Result<(), RunsError> {
    let connected = engine.scheduler().workers();
    if connected.is_empty() {
        return Ok(());
    }
    let mut conn = engine.pool.acquire().await?;
    for worker in workers::expired(&mut conn, &connected, engine.replica).await? {
        tracing::warn!(%worker, "no heartbeat came in time: its stream is ended");
        engine.scheduler().expire_session(&worker);
    }
    Ok(())
}

/// Takes over what other replicas changed about the workers that are connected here: drained, canceled.
pub(super) async fn refresh_sessions(engine: &Engine) -> Result<(), RunsError> {
    let (connected, drain_changes): (Vec<WorkerId>, HashMap<StreamId, u64>) = engine
        .scheduler()
        .sessions()
        .map(|s| (s.worker().clone(), (s.id, s.drain_changes)))
        .unzip();
    if connected.is_empty() {
        return Ok(());
    }
    let mut conn = engine.pool.acquire().await?;
    let draining = workers::draining(&mut conn, &connected).await?;
    let stored = leases::of_workers(&mut conn, &connected).await?;
    drop(conn);
    let mut scheduler = engine.scheduler();
    for session in scheduler.sessions() {
        // What somebody said here meanwhile is newer than what was read.
        if drain_changes.get(&session.id) == Some(&session.drain_changes) {
            session.draining = draining.contains(session.worker());
        }
    }
    cancel_releasing(&mut scheduler, &stored);
    drop_missing_leases(&mut scheduler, &stored);
    add_unknown_leases(&mut scheduler, &stored);
    Ok(())
}

/// Tells workers again to stop what was releasing at the last sweep as well: they may not have heard of it.
fn cancel_releasing(scheduler: &mut Scheduler, stored: &[Lease]) {
    for lease in stored.iter().filter(|l| l.phase == LeasePhase::Releasing) {
        let Some(worker) = &lease.worker else {
            continue;
        };
        let held = scheduler
            .session(worker)
            .and_then(|s| s.leases.get_mut(&lease.lease.run_id));
        let Some(held) = held else { continue };
        if std::mem::replace(&mut held.seen_releasing, true) {
            scheduler.cancel(worker, lease.lease, RunReason::CanceledByUser);
        }
    }
}

/// Adds to sessions the leases that the database gives to their workers and that they did not know at two sweeps: the
/// commit went through and its acknowledgement was lost. Heartbeats then show that the worker has not heard of them.
fn add_unknown_leases(scheduler: &mut Scheduler, stored: &[Lease]) {
    let mut by_worker: HashMap<&WorkerId, HashMap<LeaseRef, ProjectId>> = HashMap::new();
    for lease in stored {
        if let Some(worker) = &lease.worker {
            let of_worker = by_worker.entry(worker).or_default();
            of_worker.insert(lease.lease, lease.lane.project);
        }
    }
    for session in scheduler.sessions() {
        let mut unknown = by_worker.remove(session.worker()).unwrap_or_default();
        unknown.retain(|lease, _| !session.holds(*lease));
        for (lease, project) in &unknown {
            if session.unknown_leases.contains(lease) {
                tracing::warn!(run = %lease.run_id, worker = %session.worker(), "a lease that its worker was not told of");
                session.add_lease(*lease, *project);
            }
        }
        session.unknown_leases = unknown.into_keys().collect();
    }
}

/// Drops the leases that a session holds and that were not in the database at two sweeps: they expired, and the
/// heartbeat came after.
fn drop_missing_leases(scheduler: &mut Scheduler, stored: &[Lease]) {
    let stored: HashSet<LeaseRef> = stored.iter().map(|l| l.lease).collect();
    let mut gone = Vec::new();
    for session in scheduler.sessions() {
        let worker = session.worker().clone();
        session.retain_canceled(&stored);
        for held in session.leases.values_mut() {
            let is_missing = !stored.contains(&held.lease);
            if is_missing && held.seen_missing {
                gone.push((worker.clone(), held.lease, held.project));
            }
            held.seen_missing = is_missing;
        }
    }
    for (worker, lease, project) in gone {
        if let Some(session) = scheduler.session(&worker) {
            session.revoke(lease, RevokeCause::Expired);
        }
        scheduler.drop_lease(&worker, lease.run_id, project);
    }
}

/// Tells a worker at once to stop what it holds and others have ended: another replica asked for it.
pub(super) async fn cancel_ended_runs(engine: &Engine, worker: &WorkerId) -> Result<(), RunsError> {
    let mut conn = engine.pool.acquire().await?;
    let stored = leases::of_workers(&mut conn, std::slice::from_ref(worker)).await?;
    let mut scheduler = engine.scheduler();
    for lease in stored.iter().filter(|l| l.phase == LeasePhase::Releasing) {
        scheduler.cancel(worker, lease.lease, RunReason::CanceledByUser);
    }
    Ok(())
}
