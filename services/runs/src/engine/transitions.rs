//! The writers of transitions: take what workers have said of their workloads, write it in one transaction, then acknowledge.
use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use ck8s_proto::runs::v1::{Ack, Revoke, lease_response::Frame};
use ck8s_rpc::status;
use ck8s_types::{Epoch, ProjectId, RunId, RunReason};
use sqlx::PgPool;
use tokio::sync::mpsc;

use super::{Engine, Note};
use crate::{
    RunsError,
    convert::lease_ref,
    domain::{Lane, Outcome, Place},
    store::{
        groups,
        leases::{self, Back, WentBack},
        transitions::{self, Freed, Holder},
    },
};

/// Most messages that one transaction takes: it bounds how long its locks are held.
const BATCH: usize = 512;

/// What happened to a workload.
pub enum Change {
    Running { workload: String, adopted: bool },
    Finished(Outcome),
    Released,
    Lost { message: String },
    HandedBack { workload_goes_on: bool },
}

/// A worker's message about a lease.
pub struct Said {
    pub holder: Holder,
    pub sequence: i64,
    pub session: u64,
    pub change: Change,
}

impl Said {
    /// Which writer takes it: always the same for one worker, so that its messages stay in order.
    pub fn shard(&self) -> usize {
        let mut hasher = DefaultHasher::new();
        self.holder.worker.hash(&mut hasher);
        usize::try_from(hasher.finish() >> 1 & 0xffff).unwrap_or(0)
    }
}

/// What a transaction has changed, for afterwards.
#[derive(Default)]
struct Effects {
    /// The leases that messages matched.
    matched: HashSet<(RunId, Epoch)>,
    /// Leases that ended, with the slot where it is known.
    freed: Vec<(String, RunId, ProjectId, Option<i32>)>,
    opened: Vec<(Lane, Place)>,
    orphaned: bool,
}

/// Runs until shutdown.
pub async fn run(engine: Arc<Engine>, pool: PgPool, mut rx: mpsc::Receiver<Said>) {
    let mut gathered = Vec::with_capacity(BATCH);
    while rx.recv_many(&mut gathered, BATCH).await > 0 {
        match write(&pool, &gathered).await {
            Ok(effects) => settle(&engine, &gathered, effects),
            Err(error) => {
                tracing::warn!(%error, messages = gathered.len(), "a batch of transitions failed; trying one by one");
                for said in &gathered {
                    let one = std::slice::from_ref(said);
                    match write(&pool, one).await {
                        Ok(effects) => settle(&engine, one, effects),
                        Err(error) => refuse(&engine, said, &error),
                    }
                }
            }
        }
        gathered.clear();
    }
}

/// In the order in which a run goes through them, so that one batch may hold several messages about the same run.
async fn write(pool: &PgPool, said: &[Said]) -> Result<Effects, RunsError> {
    let mut effects = Effects::default();
    let (mut running, mut finished, mut released, mut rare) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for s in said {
        match &s.change {
            Change::Running { workload, adopted } => {
                running.push((s.holder.clone(), workload.clone(), *adopted));
            }
            Change::Finished(outcome) => finished.push((s.holder.clone(), outcome.clone())),
            Change::Released => released.push(s.holder.clone()),
            Change::Lost { .. } | Change::HandedBack { .. } => rare.push(s),
        }
    }
    let mut tx = pool.begin().await?;
    if !running.is_empty() {
        effects
            .matched
            .extend(transitions::running(&mut tx, &running).await?);
    }
    if !finished.is_empty() {
        effects
            .matched
            .extend(transitions::finished(&mut tx, &finished).await?);
    }
    if !released.is_empty() {
        let workers: HashMap<RunId, &str> = released
            .iter()
            .map(|h| (h.run, h.worker.as_str()))
            .collect();
        for Freed {
            run,
            epoch,
            project,
            slot,
            group,
        } in transitions::released(&mut tx, &released).await?
        {
            effects.matched.insert((run, epoch));
            let worker = workers.get(&run).copied().unwrap_or_default();
            effects
                .freed
                .push((worker.to_owned(), run, project, Some(slot)));
            if let Some(group) = group {
                groups::lock(&mut tx, project, &group).await?;
                effects
                    .opened
                    .extend(groups::promote(&mut tx, project, &group).await?);
            }
        }
    }
    for s in rare {
        rarely(&mut tx, s, &mut effects).await?;
    }
    let unmatched: Vec<Holder> = said
        .iter()
        .map(|s| &s.holder)
        .filter(|h| !effects.matched.contains(&h.lease()))
        .cloned()
        .collect();
    if !unmatched.is_empty() {
        // What is said a second time (its acknowledgement was lost), or of a run that was canceled, is still the holder's to say.
        effects
            .matched
            .extend(transitions::held_by_sender(&mut tx, &unmatched).await?);
    }
    tx.commit().await?;
    Ok(effects)
}

async fn rarely(
    tx: &mut sqlx::PgConnection,
    said: &Said,
    effects: &mut Effects,
) -> Result<(), RunsError> {
    let Holder { run, epoch, worker } = &said.holder;
    let went_back = match &said.change {
        Change::Lost { message } => {
            let back = Back::Lost(RunReason::WorkloadLost);
            leases::give_back(tx, *run, *epoch, Some(worker), back, message).await?
        }
        Change::HandedBack {
            workload_goes_on: false,
        } => {
            let message = format!("worker {worker} handed it back");
            leases::give_back(tx, *run, *epoch, Some(worker), Back::NeverStarted, &message).await?
        }
        Change::HandedBack {
            workload_goes_on: true,
        } => {
            if !transitions::held_by_sender(tx, std::slice::from_ref(&said.holder))
                .await?
                .is_empty()
            {
                leases::orphan(
                    tx,
                    worker,
                    &[run.uuid()],
                    &format!("worker {worker} handed it back"),
                )
                .await?;
                effects.matched.insert((*run, *epoch));
                effects.orphaned = true;
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    match went_back {
        Some(WentBack::Queued(lane, place)) => {
            effects
                .freed
                .push((worker.clone(), *run, lane.project, None));
            effects.opened.push((lane, place));
            effects.matched.insert((*run, *epoch));
        }
        Some(WentBack::Ended { project, group }) => {
            effects.freed.push((worker.clone(), *run, project, None));
            effects.matched.insert((*run, *epoch));
            if let Some(group) = group {
                groups::lock(tx, project, &group).await?;
                effects
                    .opened
                    .extend(groups::promote(tx, project, &group).await?);
            }
        }
        None => {}
    }
    Ok(())
}

/// After the commit: acknowledge, refuse what is stale, pass slots on.
fn settle(engine: &Engine, said: &[Said], effects: Effects) {
    let freed = !effects.freed.is_empty() || !effects.opened.is_empty();
    {
        let mut board = engine.board();
        for (worker, run, project, slot) in effects.freed {
            match slot {
                Some(slot) => board.released(&worker, run, project, slot),
                None => board.drop_lease(&worker, run, project),
            }
            engine.note(Note::Freed(project));
        }
        for (lane, place) in effects.opened {
            board.fair.opened(lane, place);
            engine.note(Note::Opened(lane, place));
        }
        for s in said {
            let Some(session) = board
                .session(&s.holder.worker)
                .filter(|session| session.id == s.session)
            else {
                continue; // it said so on a stream that is gone; on the next one it says it again
            };
            // A release that matches nothing was done before: the acknowledgement was lost.
            let done =
                effects.matched.contains(&s.holder.lease()) || matches!(s.change, Change::Released);
            if !done {
                session.send(Frame::Revoke(Revoke {
                    lease: Some(lease_ref(s.holder.run, s.holder.epoch)),
                    code: "STALE_EPOCH".to_owned(),
                }));
            }
            session.send(Frame::Ack(Ack {
                sequence: s.sequence,
            }));
        }
    }
    if freed {
        engine.wake_dispatcher();
    }
    if effects.orphaned {
        engine.wake_reaper();
    }
    engine.feed.wake();
    engine.note(Note::Events);
}

/// The message cannot be stored now: the stream ends, and the worker says it again on the next one.
fn refuse(engine: &Engine, said: &Said, error: &RunsError) {
    tracing::warn!(%error, run = %said.holder.run, worker = said.holder.worker, "cannot store a transition");
    let mut board = engine.board();
    if let Some(session) = board
        .session(&said.holder.worker)
        .filter(|s| s.id == said.session)
    {
        session.close(status::unavailable("the database", error));
    }
}
