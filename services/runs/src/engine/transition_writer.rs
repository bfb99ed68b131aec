//! The writers of transitions: take what workers have reported about their workloads, write it in one transaction, then
//! acknowledge.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use ck8s_batch::Batches;
use ck8s_types::{LeaseRef, ProjectId, RunId, Slot, WorkerId};
use sqlx::{PgConnection, PgPool};
use tokio::sync::mpsc;

use super::{Engine, ReplicaNotice};
use crate::{
    domain::{
        LeaseHolder, LeaseReturn, Outcome, QueuedRun, ReturnReason, ReturnedLease, RevokeCause,
        ServerFrame, StreamEnd, Transition, TransitionMessage,
    },
    error::RunsError,
    store::{
        groups, lease_returns, leases,
        transitions::{self, RunningWorkload},
    },
};

/// Messages that one transaction stores: it bounds how long its locks are held.
const MAX_BATCH_MESSAGES: usize = 512;

/// A lease that has ended.
struct EndedLease {
    worker: WorkerId,
    run: RunId,
    project: ProjectId,
    /// Its slot, which is free now. None: it is not known.
    slot: Option<Slot>,
}

/// What a transaction has changed, for what follows after its commit.
#[derive(Default)]
struct Effects {
    /// The leases that messages matched.
    matched: HashSet<LeaseRef>,
    ended: Vec<EndedLease>,
    queued: Vec<QueuedRun>,
    orphaned: bool,
}

/// The messages of a batch by what they report, in the order in which a run goes through it.
#[derive(Default)]
struct Batch<'a> {
    running: Vec<RunningWorkload<'a>>,
    finished: Vec<(&'a LeaseHolder, &'a Outcome)>,
    released: Vec<&'a LeaseHolder>,
    /// Lost and returned leases: rare, so one by one.
    rare: Vec<&'a TransitionMessage>,
}

/// Stores transitions until nobody can send any more.
pub(crate) async fn write_transitions(
    engine: Arc<Engine>,
    pool: PgPool,
    queue: mpsc::Receiver<TransitionMessage>,
) {
    let mut batches = Batches::new(queue, MAX_BATCH_MESSAGES);
    while let Some(messages) = batches.next().await {
        match write(&pool, messages).await {
            Ok(effects) => settle(&engine, messages, effects),
            Err(error) => {
                tracing::warn!(%error, messages = messages.len(), "a batch of transitions failed; trying one by one");
                for message in messages.iter() {
                    let one = std::slice::from_ref(message);
                    match write(&pool, one).await {
                        Ok(effects) => settle(&engine, one, effects),
                        Err(error) => refuse(&engine, message, &error),
                    }
                }
            }
        }
    }
}

impl<'a> Batch<'a> {
    fn of(messages: &'a [TransitionMessage]) -> Self {
        let mut batch = Self::default();
        for message in messages {
            let holder = &message.holder;
            match &message.transition {
                Transition::Running { workload, adopted } => batch.running.push(RunningWorkload {
                    holder,
                    workload,
                    adopted: *adopted,
                }),
                Transition::Finished(outcome) => batch.finished.push((holder, outcome)),
                Transition::Released => batch.released.push(holder),
                Transition::Lost { .. }
                | Transition::Noted { .. }
                | Transition::ReturnedUnstarted
                | Transition::ReturnedRunning => batch.rare.push(message),
            }
        }
        batch
    }
}

/// Writes messages in the order in which a run goes through them, so that one batch may hold several messages about the
/// same run.
async fn write(pool: &PgPool, messages: &[TransitionMessage]) -> Result<Effects, RunsError> {
    let mut effects = Effects::default();
    let batch = Batch::of(messages);
    let mut tx = pool.begin().await?;
    if !batch.running.is_empty() {
        let matched = transitions::running(&mut tx, &batch.running).await?;
        effects.matched.extend(matched);
    }
    if !batch.finished.is_empty() {
        let matched = transitions::finished(&mut tx, &batch.finished).await?;
        effects.matched.extend(matched);
    }
    if !batch.released.is_empty() {
        release(&mut tx, &batch.released, &mut effects).await?;
    }
    for message in batch.rare {
        take_back(&mut tx, message, &mut effects).await?;
    }
    let unmatched: Vec<&LeaseHolder> = messages
        .iter()
        .map(|m| &m.holder)
        .filter(|holder| !effects.matched.contains(&holder.lease))
        .collect();
    if !unmatched.is_empty() {
        // A worker may repeat a message (its acknowledgement was lost), or report on a run that was canceled.
        let held = transitions::still_held(&mut tx, &unmatched).await?;
        effects.matched.extend(held);
    }
    tx.commit().await?;
    Ok(effects)
}

/// Ends the leases whose workloads are gone.
async fn release(
    tx: &mut PgConnection,
    holders: &[&LeaseHolder],
    effects: &mut Effects,
) -> Result<(), RunsError> {
    let workers: HashMap<LeaseRef, &WorkerId> =
        holders.iter().map(|h| (h.lease, &h.worker)).collect();
    for freed in transitions::released(tx, holders).await? {
        effects.matched.insert(freed.lease);
        if let Some(worker) = workers.get(&freed.lease) {
            effects.ended.push(EndedLease {
                worker: (*worker).clone(),
                run: freed.lease.run_id,
                project: freed.project,
                slot: Some(freed.slot),
            });
        }
        if let Some(group) = freed.group {
            effects.promote(tx, freed.project, &group).await?;
        }
    }
    Ok(())
}

/// Takes back a lease that a worker lost or returned, or records a note about one.
async fn take_back(
    tx: &mut PgConnection,
    message: &TransitionMessage,
    effects: &mut Effects,
) -> Result<(), RunsError> {
    let holder = &message.holder;
    let LeaseHolder { lease, worker } = holder;
    let returned = format!("worker {worker} handed it back");
    let (reason, message) = match &message.transition {
        Transition::Lost { message, reason } => {
            (ReturnReason::WorkloadLost(*reason), message.as_str())
        }
        Transition::Noted { kind, message } => {
            let noted = transitions::noted(tx, holder, *kind, message).await?;
            effects.matched.extend(noted);
            return Ok(());
        }
        Transition::ReturnedUnstarted => (ReturnReason::NeverStarted, returned.as_str()),
        Transition::ReturnedRunning => {
            let held = transitions::still_held(tx, &[&message.holder]).await?;
            if !held.is_empty() {
                leases::orphan(tx, worker, &[lease.run_id], None, &returned).await?;
                effects.matched.insert(*lease);
                effects.orphaned = true;
            }
            return Ok(());
        }
        Transition::Running { .. } | Transition::Finished(_) | Transition::Released => {
            return Ok(());
        }
    };
    let back = LeaseReturn {
        lease: *lease,
        worker: Some(worker),
        reason,
        message,
    };
    let Some(came_back) = lease_returns::return_lease(tx, back).await? else {
        return Ok(());
    };
    effects.matched.insert(*lease);
    let (project, group) = match came_back {
        ReturnedLease::Queued(run) => {
            effects.queued.push(run);
            (run.lane.project, None)
        }
        ReturnedLease::Ended { project, group } => (project, group),
    };
    effects.ended.push(EndedLease {
        worker: worker.clone(),
        run: lease.run_id,
        project,
        slot: None,
    });
    if let Some(group) = group {
        effects.promote(tx, project, &group).await?;
    }
    Ok(())
}

impl Effects {
    /// Makes the next run of a group ready.
    async fn promote(
        &mut self,
        tx: &mut PgConnection,
        project: ProjectId,
        group: &str,
    ) -> Result<(), RunsError> {
        groups::lock(tx, project, group).await?;
        self.queued
            .extend(groups::promote(tx, project, group).await?);
        Ok(())
    }
}

/// After the commit: acknowledges, revokes what is stale, passes slots on.
fn settle(engine: &Engine, messages: &[TransitionMessage], effects: Effects) {
    let freed = !effects.ended.is_empty() || !effects.queued.is_empty();
    {
        let mut scheduler = engine.scheduler();
        for ended in effects.ended {
            let EndedLease {
                worker,
                run,
                project,
                slot,
            } = ended;
            match slot {
                Some(slot) => scheduler.release_lease(&worker, run, project, slot),
                None => scheduler.drop_lease(&worker, run, project),
            }
            engine.notify_replicas(ReplicaNotice::SlotFreed(project));
        }
        for run in effects.queued {
            scheduler.run_queued(run);
            engine.notify_replicas(ReplicaNotice::RunQueued(run));
        }
        for message in messages {
            let holder = &message.holder;
            let Some(session) = scheduler.session_on(&holder.worker, message.stream) else {
                continue; // the stream of the message is gone; on the next one the worker repeats it
            };
            // A release that matches nothing was done before: its acknowledgement was lost.
            let done = effects.matched.contains(&holder.lease)
                || matches!(message.transition, Transition::Released);
            if !done {
                session.revoke(holder.lease, RevokeCause::StaleEpoch);
            }
            session.send(ServerFrame::Ack {
                sequence: message.sequence,
            });
        }
    }
    if freed {
        engine.wake_dispatcher();
    }
    if effects.orphaned {
        engine.wake_reaper();
    }
    engine.events_written();
}

/// Ends the stream of a message that cannot be stored now: the worker repeats it on its next stream.
fn refuse(engine: &Engine, message: &TransitionMessage, error: &RunsError) {
    let holder = &message.holder;
    tracing::warn!(%error, run = %holder.lease.run_id, worker = %holder.worker, "cannot store a transition");
    if let Some(session) = engine
        .scheduler()
        .session_on(&holder.worker, message.stream)
    {
        session.close(StreamEnd::DatabaseUnavailable);
    }
}
