//! The reaper: finds what time has overtaken. Woken by what is likely to leave work for it, and every second as a safety net; any number of
//! replicas may do it at once, since each step changes only what is still as it was seen.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ck8s_proto::runs::v1::{Revoke, lease_response::Frame};
use ck8s_types::{Epoch, ProjectId, RunId, RunReason};
use tokio::time::Instant;

use super::{AfterEnd, Board, Engine, Note, grants};
use crate::{
    RunsError,
    convert::lease_ref,
    domain::{Outcome, finished_sentence, ordinary_state},
    store::{
        claim, end, groups,
        leases::{self, Back, LeaseRow, WentBack},
        pools, workers,
    },
};

/// The safety net's mesh: what a lost wake-up left behind is found after this long at most.
const SWEEP: Duration = Duration::from_secs(1);
/// A sweep takes at most this part of the time: while somebody else's snapshot (a backup) keeps dead rows from being cleaned up, it
/// has to walk over them.
const SHARE: u32 = 20;
/// And yet comes again after this long: it also finds leases that have expired.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A process workload dies with its lease: its guard sees to it. This long after the lease's end it is surely gone.
const PROCESS_GONE_SECONDS: f64 = 3.0;

/// Runs until shutdown.
pub async fn run(engine: Arc<Engine>) {
    let mut next = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = engine.reap.notified() => {}
            () = engine.shutdown.cancelled() => return,
        }
        let began = Instant::now();
        if let Err(error) = reap(&engine).await {
            tracing::warn!(%error, "the reaper failed; it comes again");
        }
        next = began + (SHARE * began.elapsed()).clamp(SWEEP, LONGEST_PAUSE);
    }
}

async fn reap(engine: &Engine) -> Result<(), RunsError> {
    let orphaned = leases::orphan_expired(&mut *engine.pool.acquire().await?).await?;
    if orphaned > 0 {
        tracing::warn!(leases = orphaned, "leases have expired without a heartbeat");
        engine.feed.wake();
    }
    end_expired_sessions(engine).await?;
    end_overdue(engine).await?;
    let orphans = leases::orphans(&mut *engine.pool.acquire().await?).await?;
    for lease in &orphans {
        resolve(engine, lease).await?;
    }
    refresh_sessions(engine).await?;
    unstick_groups(engine).await?;
    open_lanes(engine).await
}

/// Workers that were not heard in time and hold a stream here: stopped, or cut off without a word. Nothing may be leased to them.
async fn end_expired_sessions(engine: &Engine) -> Result<(), RunsError> {
    let ids: Vec<String> = engine
        .board()
        .sessions()
        .map(|s| s.worker().to_owned())
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut conn = engine.pool.acquire().await?;
    for worker in workers::expired(&mut conn, &ids, engine.replica).await? {
        tracing::warn!(worker, "no heartbeat came in time: its stream is ended");
        engine.board().expire(&worker);
    }
    Ok(())
}

/// Runs that waited, started or ran too long.
async fn end_overdue(engine: &Engine) -> Result<(), RunsError> {
    let mut conn = engine.pool.acquire().await?;
    let waited = end::expired(&mut conn)
        .await?
        .into_iter()
        .map(|(run, ran_before)| {
            let reason = if ran_before {
                RunReason::WorkerLost
            } else {
                RunReason::Unscheduled
            };
            (run, reason)
        });
    let worked = end::overdue(&mut conn)
        .await?
        .into_iter()
        .map(|(run, started)| {
            let reason = if started {
                RunReason::TimedOut
            } else {
                RunReason::StartTimedOut
            };
            (run, reason)
        });
    drop(conn);
    for (run, reason) in waited.chain(worked).collect::<Vec<_>>() {
        end_one(engine, run, reason).await?;
    }
    Ok(())
}

async fn end_one(engine: &Engine, run: RunId, reason: RunReason) -> Result<(), RunsError> {
    let outcome = Outcome {
        state: ordinary_state(reason),
        reason,
        message: finished_sentence(reason).to_owned(),
        exit_code: None,
    };
    let mut tx = engine.pool.begin().await?;
    let mut after = AfterEnd::default();
    if engine
        .end_in(&mut tx, run, &outcome, "service:runs", &mut after)
        .await?
    {
        tx.commit().await?;
        engine.after_end(after);
    }
    Ok(())
}

/// A lease whose worker is gone. A process died with it: the next attempt. A Job lives on: a worker of its cluster takes it over; if none
/// comes in time, the run has failed, and the slot stays releasing until one comes to see that the Job is gone.
async fn resolve(engine: &Engine, lease: &LeaseRow) -> Result<(), RunsError> {
    let orphaned_for = lease.orphaned_for.unwrap_or(0.0);
    if lease.domain == "process" {
        if orphaned_for >= PROCESS_GONE_SECONDS {
            give_back(engine, lease).await?;
        }
        return Ok(());
    }
    let worker = {
        let mut board = engine.board();
        board
            .sessions()
            .filter(|s| s.arrival.domain == lease.domain && s.takes_work())
            .max_by_key(|s| s.free())
            .map(|s| s.worker().to_owned())
    };
    if let Some(worker) = worker {
        let epoch = leases::take_over(&mut *engine.pool.acquire().await?, lease, &worker).await?;
        if let Some(epoch) = epoch {
            engine
                .board()
                .hold(&worker, lease.run, epoch, lease.lane.project);
            tracing::info!(run = %lease.run, worker, lease_epoch = epoch.0, "lease taken over");
            grants::takeover(engine, lease, epoch, &worker).await?;
            engine.feed.wake();
            engine.note(Note::Events);
        }
    } else if !lease.releasing && orphaned_for >= engine.config.takeover_timeout.as_secs_f64() {
        end_one(engine, lease.run, RunReason::WorkerLost).await?;
    }
    Ok(())
}

async fn give_back(engine: &Engine, lease: &LeaseRow) -> Result<(), RunsError> {
    let mut tx = engine.pool.begin().await?;
    let back = Back::Lost(RunReason::WorkerLost);
    let message = finished_sentence(RunReason::WorkerLost);
    let went = leases::give_back(&mut tx, lease.run, lease.epoch, None, back, message).await?;
    let mut opened = None;
    match went {
        Some(WentBack::Queued(lane, place)) => opened = Some((lane, place)),
        Some(WentBack::Ended {
            project,
            group: Some(group),
        }) => {
            groups::lock(&mut tx, project, &group).await?;
            opened = groups::promote(&mut tx, project, &group).await?;
        }
        _ => {}
    }
    tx.commit().await?;
    {
        let mut board = engine.board();
        board.may_have_room(lease.lane.project);
        if let Some((lane, place)) = opened {
            board.fair.opened(lane, place);
        }
    }
    engine.note(Note::Freed(lease.lane.project));
    engine.wake_dispatcher();
    engine.feed.wake();
    Ok(())
}

/// What other replicas changed about the workers that are connected here: drained, canceled.
async fn refresh_sessions(engine: &Engine) -> Result<(), RunsError> {
    let (ids, drains): (Vec<String>, HashMap<u64, u64>) = engine
        .board()
        .sessions()
        .map(|s| (s.worker().to_owned(), (s.id, s.drains)))
        .unzip();
    if ids.is_empty() {
        return Ok(());
    }
    let mut conn = engine.pool.acquire().await?;
    let draining = workers::draining(&mut conn, &ids).await?;
    let stored = leases::of_workers(&mut conn, &ids).await?;
    drop(conn);
    let mut board = engine.board();
    for session in board.sessions() {
        // What somebody said here meanwhile is newer than what was read.
        if drains.get(&session.id) != Some(&session.drains) {
            continue;
        }
        session.draining = draining.iter().any(|d| d == session.worker());
    }
    // A lease that was releasing at the last sweep as well: its worker may not have heard that it has to stop.
    let mut stop = Vec::new();
    for lease in stored.iter().filter(|l| l.releasing) {
        let Some(worker) = &lease.worker else {
            continue;
        };
        if let Some(held) = board
            .session(worker)
            .and_then(|s| s.held.get_mut(&lease.run))
        {
            if held.releasing {
                stop.push((worker.clone(), lease.run, lease.epoch));
            }
            held.releasing = true;
        }
    }
    for (worker, run, epoch) in stop {
        board.cancel(&worker, run, epoch, RunReason::CanceledByUser);
    }
    drop_unstored(&mut board, &stored);
    hold_untold(&mut board, &stored);
    Ok(())
}

/// Leases that the database gives to a worker and its session did not know at two sweeps: the commit went through and its acknowledgement
/// was lost. The session holds them from now on; heartbeats then show that the worker has not heard of them.
fn hold_untold(board: &mut Board, stored: &[LeaseRow]) {
    let mut untold: HashMap<&str, HashMap<(RunId, Epoch), ProjectId>> = HashMap::new();
    for lease in stored {
        if let Some(worker) = &lease.worker {
            let of_worker = untold.entry(worker).or_default();
            of_worker.insert((lease.run, lease.epoch), lease.lane.project);
        }
    }
    for session in board.sessions() {
        let mut untold = untold.remove(session.worker()).unwrap_or_default();
        untold.retain(|(run, epoch), _| session.held.get(run).is_none_or(|h| h.epoch != *epoch));
        for (lease @ (run, epoch), project) in &untold {
            if session.untold.contains(lease) {
                tracing::warn!(%run, worker = session.worker(), "a lease that its worker was not told of");
                session.hold(*run, *epoch, *project);
            }
        }
        session.untold = untold.into_keys().collect();
    }
}

/// Leases that a worker seems to hold and that were not in the database at two sweeps: they expired, and its heartbeat came after.
fn drop_unstored(board: &mut Board, stored: &[LeaseRow]) {
    let stored: HashSet<(RunId, Epoch)> = stored.iter().map(|l| (l.run, l.epoch)).collect();
    let mut gone = Vec::new();
    for session in board.sessions() {
        let worker = session.worker().to_owned();
        for (run, held) in &mut session.held {
            let unstored = !stored.contains(&(*run, held.epoch));
            if unstored && held.unstored {
                gone.push((worker.clone(), *run, *held));
            }
            held.unstored = unstored;
        }
    }
    for (worker, run, held) in gone {
        if let Some(session) = board.session(&worker) {
            session.send(Frame::Revoke(Revoke {
                lease: Some(lease_ref(run, held.epoch)),
                code: "EXPIRED".to_owned(),
            }));
        }
        board.drop_lease(&worker, run, held.project);
    }
}

impl Engine {
    /// Tells a worker at once to stop what it holds and others have ended: another replica asked for it.
    pub async fn stop_ended(&self, worker: &str) -> Result<(), RunsError> {
        let ids = [worker.to_owned()];
        let stored = leases::of_workers(&mut *self.pool.acquire().await?, &ids).await?;
        let mut board = self.board();
        for lease in stored.iter().filter(|l| l.releasing) {
            board.cancel(worker, lease.run, lease.epoch, RunReason::CanceledByUser);
        }
        Ok(())
    }
}

async fn unstick_groups(engine: &Engine) -> Result<(), RunsError> {
    let stuck = groups::stuck(&mut *engine.pool.acquire().await?).await?;
    for (project, group) in stuck {
        let mut tx = engine.pool.begin().await?;
        groups::lock(&mut tx, project, &group).await?;
        let opened = groups::promote(&mut tx, project, &group).await?;
        tx.commit().await?;
        if let Some((lane, place)) = opened {
            engine.board().fair.opened(lane, place);
        }
    }
    Ok(())
}

/// Every lane that has a run to claim is open, whatever was missed.
pub async fn open_lanes(engine: &Engine) -> Result<(), RunsError> {
    let mut conn = engine.pool.acquire().await?;
    let lanes = claim::open_lanes(&mut conn).await?;
    let unknown = {
        let board = engine.board();
        lanes.iter().any(|(lane, _)| board.is_unknown(lane.pool))
    };
    if unknown {
        let all = pools::all(&mut conn).await?;
        engine.board().learn_pools(all);
    }
    drop(conn);
    if !lanes.is_empty() {
        {
            let mut board = engine.board();
            for (lane, place) in lanes {
                // What seems full may have been freed behind our back.
                board.slots.forget(lane.project);
                board.fair.opened(lane, place);
            }
        }
        engine.wake_dispatcher();
    }
    Ok(())
}
