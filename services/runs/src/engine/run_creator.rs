//! The writer of new runs: takes all that has gathered and writes it in one statement, with a lease for each run that
//! need not wait.
use std::{collections::HashMap, sync::Arc};

use ck8s_batch::Batches;
use ck8s_types::{RunId, RunReason};
use sqlx::{Postgres, Transaction};
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::{CreateRuns, EndedRuns, Engine, ReplicaNotice, leases_made, read_free_slots};
use crate::{
    domain::{Lane, NewRun, Outcome, Placement, Run, RunOrder, default_message},
    error::RunsError,
    store::{
        groups,
        new_runs::{self, InsertedRuns},
        request_ids, runs,
    },
};

/// Calls whose runs one transaction makes: it bounds how long their senders wait for each other.
const MAX_BATCH_CALLS: usize = 256;

/// Creates runs until nobody can send any more.
pub(crate) async fn create_runs(engine: Arc<Engine>, queue: mpsc::Receiver<CreateRuns>) {
    let mut batches = Batches::new(queue, MAX_BATCH_CALLS);
    while let Some(batch) = batches.next().await {
        let (plain, special): (Vec<_>, Vec<_>) = batch.drain(..).partition(is_plain);
        if !plain.is_empty() {
            create_plain(&engine, plain).await;
        }
        for creation in special {
            let results = create_special(&engine, &creation).await;
            let _ = creation.reply.send(results);
        }
    }
}

/// Whether its runs can share a transaction with others: they belong to no group and no call that may be repeated.
fn is_plain(creation: &CreateRuns) -> bool {
    let grouped = |r: &NewRun| r.spec.concurrency_group.is_some();
    creation.request.is_none() && !creation.runs.iter().any(grouped)
}

/// Creates all runs in one statement; if that fails, each on its own, so that one bad run hurts no other.
async fn create_plain(engine: &Engine, creations: Vec<CreateRuns>) {
    let mut all = Vec::new();
    let mut replies = Vec::with_capacity(creations.len());
    for creation in creations {
        replies.push((creation.runs.len(), creation.reply));
        all.extend(creation.runs);
    }
    let failed = match write(engine, &all).await {
        Ok(()) => None,
        Err(error) => {
            tracing::warn!(%error, runs = all.len(), "a batch of new runs failed; trying one by one");
            Some(error)
        }
    };
    let mut rest = &all[..];
    for (count, reply) in replies {
        let runs = rest.split_off(..count).unwrap_or_default();
        let mut results = Vec::with_capacity(count);
        for run in runs {
            let one = std::slice::from_ref(run);
            results.push(match failed {
                None => Ok(run.id),
                Some(_) => write(engine, one).await.map(|()| run.id),
            });
        }
        let _ = reply.send(results);
    }
}

async fn write(engine: &Engine, all: &[NewRun]) -> Result<(), RunsError> {
    let mut conn = engine.connections.creator.acquire().await?;
    let placements = place(engine, all).await;
    let inserted = new_runs::insert(&mut conn, all, &placements, true).await;
    settle(engine, all, &placements, inserted, true).await
}

/// Creates runs of groups, and of calls that may be repeated: one run per transaction.
async fn create_special(engine: &Engine, creation: &CreateRuns) -> Vec<Result<RunId, RunsError>> {
    let mut results = Vec::with_capacity(creation.runs.len());
    for run in &creation.runs {
        results.push(write_special(engine, run, creation).await);
    }
    results
}

async fn write_special(
    engine: &Engine,
    run: &NewRun,
    creation: &CreateRuns,
) -> Result<RunId, RunsError> {
    let mut tx = engine.pool.begin().await?;
    let request = creation.request.as_ref();
    if let Some(earlier) = request_ids::claim_for_run(&mut tx, request).await? {
        return Ok(earlier);
    }
    let mut ended = EndedRuns::default();
    let (mut ready, mut newer) = (true, None);
    if let Some(group) = &run.spec.concurrency_group {
        groups::lock(&mut tx, run.project, group).await?;
        if runs::get_many(&mut tx, [run.id]).await?.is_empty() {
            if run.spec.cancel_in_progress {
                newer = supersede(&mut tx, run, group, &mut ended).await?;
            }
            ready = newer.is_none() && !groups::is_busy(&mut tx, run.project, group).await?;
        }
    }
    request_ids::answer_with_run(&mut tx, request, run.id).await?;
    let one = std::slice::from_ref(run);
    let placements = match ready {
        true => place(engine, one).await,
        false => vec![None],
    };
    let inserted = async {
        let inserted = new_runs::insert(&mut tx, one, &placements, ready).await?;
        if let Some(newer) = newer {
            ended
                .end(&mut tx, run.id, &superseded_by(newer), &run.actor)
                .await?;
        }
        tx.commit().await?;
        Ok(inserted)
    };
    let inserted = inserted.await;
    settle(engine, one, &placements, inserted, ready).await?;
    ended.announce(engine);
    Ok(run.id)
}

/// Ends the runs of the group that are older than this one. Returns the one whose place it cannot take: that one is
/// newer, although it came first.
async fn supersede(
    tx: &mut Transaction<'_, Postgres>,
    run: &NewRun,
    group: &str,
    ended: &mut EndedRuns,
) -> Result<Option<RunId>, RunsError> {
    let members = groups::members(tx, run.project, group).await?;
    let mut newer = None;
    for member in runs::get_many(tx, members).await? {
        match RunOrder::of(run, &member) {
            RunOrder::Newer => {
                let outcome = superseded_by(run.id);
                ended.end(tx, member.id, &outcome, &run.actor).await?;
            }
            RunOrder::Older => newer = newer.max(Some(member.id)),
            RunOrder::Together => {}
        }
    }
    Ok(newer)
}

fn superseded_by(newer: RunId) -> Outcome {
    let message = default_message(RunReason::Superseded);
    Outcome {
        message: format!("{message}: run {newer}"),
        ..Outcome::of(RunReason::Superseded)
    }
}

/// After the commit: tells of leases and of what waits. Gives back the placements that were not used, also when the
/// insert failed.
async fn settle(
    engine: &Engine,
    runs: &[NewRun],
    placements: &[Option<Placement>],
    inserted: Result<InsertedRuns, RunsError>,
    ready: bool,
) -> Result<(), RunsError> {
    let leases = inserted.as_ref().map_or(&[][..], |i| &i.leases);
    engine
        .scheduler()
        .settle_placements(runs.iter().map(lane_of), placements, leases);
    let inserted = inserted?;
    metrics::counter!("ck8s_runs_created_total")
        .increment((inserted.queued.len() + inserted.leases.len()) as u64);
    if ready && !inserted.queued.is_empty() {
        let mut scheduler = engine.scheduler();
        for run in &inserted.queued {
            scheduler.run_queued(*run);
            engine.notify_replicas(ReplicaNotice::RunQueued(*run));
        }
        drop(scheduler);
        engine.wake_dispatcher();
    }
    engine.events_written();
    // The runs are made, whatever happens to their grants: a worker's next Hello finds those that were not delivered.
    if let Err(error) = leases_made(engine, &inserted.leases, leased_runs(runs, &inserted)).await {
        tracing::warn!(%error, "cannot deliver grants");
    }
    Ok(())
}

/// The runs that were leased at once, as they are now.
fn leased_runs(runs: &[NewRun], inserted: &InsertedRuns) -> HashMap<RunId, Run> {
    if inserted.leases.is_empty() {
        return HashMap::new();
    }
    let new: HashMap<RunId, &NewRun> = runs.iter().map(|r| (r.id, r)).collect();
    let now = OffsetDateTime::now_utc();
    let leased = inserted.leases.iter().filter_map(|lease| {
        let id = lease.lease.run_id;
        Some((id, new.get(&id)?.pending(now)))
    });
    leased.collect()
}

fn lane_of(run: &NewRun) -> Lane {
    Lane {
        project: run.project,
        pool: run.pool,
    }
}

/// Returns placements for the new runs that need not wait.
async fn place(engine: &Engine, runs: &[NewRun]) -> Vec<Option<Placement>> {
    if engine.shutdown.is_cancelled() {
        return vec![None; runs.len()];
    }
    let placed = engine.scheduler().place(runs.iter().map(lane_of));
    if placed.unknown.is_empty() || placed.placements.iter().any(Option::is_some) {
        return placed.placements;
    }
    if let Err(error) = read_free_slots(engine, &placed.unknown).await {
        tracing::warn!(%error, "cannot read free slots; new runs wait");
        return placed.placements;
    }
    engine
        .scheduler()
        .place(runs.iter().map(lane_of))
        .placements
}
