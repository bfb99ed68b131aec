//! The writer of new runs: takes all that has gathered and writes it in one statement, with a lease for each run that need not wait.
use std::{collections::HashMap, sync::Arc};

use ck8s_types::{RequestId, RunId, RunReason, RunState};
use sqlx::{Postgres, Transaction};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};

use super::{AfterEnd, Engine, Note};
use crate::{
    RunsError,
    domain::{Lane, NewRun, Outcome, Run, finished_sentence},
    store::{
        claim::Seat,
        groups,
        new_runs::{self, Made},
        runs,
    },
};

/// Most creations that one transaction takes: it bounds how long their senders wait for each other.
const BATCH: usize = 256;

/// Runs to make, and who waits for them.
pub struct Creation {
    pub runs: Vec<NewRun>,
    /// Made on behalf of a call that may be repeated: its id and method.
    pub request: Option<(RequestId, &'static str)>,
    /// Told, for each run in order, its id or why not.
    pub reply: oneshot::Sender<Vec<Result<RunId, RunsError>>>,
}

impl Creation {
    fn is_plain(&self) -> bool {
        self.request.is_none() && self.runs.iter().all(|r| r.spec.concurrency_group.is_none())
    }
}

/// Runs until shutdown.
pub async fn run(engine: Arc<Engine>, mut rx: mpsc::Receiver<Creation>) {
    let mut gathered = Vec::with_capacity(BATCH);
    while rx.recv_many(&mut gathered, BATCH).await > 0 {
        let (plain, special): (Vec<_>, Vec<_>) = gathered.drain(..).partition(Creation::is_plain);
        if !plain.is_empty() {
            create_plain(&engine, plain).await;
        }
        for creation in special {
            let answer = create_special(&engine, &creation).await;
            let _ = creation.reply.send(answer);
        }
    }
}

/// Runs without a group: all in one statement; if that fails, each on its own, so that one bad run hurts nobody.
async fn create_plain(engine: &Engine, creations: Vec<Creation>) {
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
        let mut answer = Vec::with_capacity(count);
        for run in runs {
            let one = std::slice::from_ref(run);
            answer.push(match failed {
                None => Ok(run.id),
                Some(_) => write(engine, one).await.map(|()| run.id),
            });
        }
        let _ = reply.send(answer);
    }
}

async fn write(engine: &Engine, all: &[NewRun]) -> Result<(), RunsError> {
    let mut conn = engine.writers.creator.acquire().await?;
    let seats = engine.seat(all).await;
    let made = new_runs::insert(&mut conn, all, &seats, true).await;
    settle(engine, all, &seats, made, true).await
}

/// Runs of groups, and of calls that may be repeated: one creation per transaction.
async fn create_special(engine: &Engine, creation: &Creation) -> Vec<Result<RunId, RunsError>> {
    let mut answer = Vec::with_capacity(creation.runs.len());
    for run in &creation.runs {
        answer.push(write_special(engine, run, creation.request).await);
    }
    answer
}

async fn write_special(
    engine: &Engine,
    run: &NewRun,
    request: Option<(RequestId, &'static str)>,
) -> Result<RunId, RunsError> {
    let mut tx = engine.pool.begin().await?;
    if let Some((request, method)) = request
        && let Some(earlier) = runs::take_request(&mut tx, request, method, run.id).await?
    {
        return Ok(earlier);
    }
    let mut after = AfterEnd::default();
    let mut ready = true;
    if let Some(group) = &run.spec.concurrency_group {
        groups::lock(&mut tx, run.project, group).await?;
        if runs::get_many(&mut tx, &[run.id.uuid()]).await?.is_empty() {
            if run.spec.cancel_in_progress {
                supersede(engine, &mut tx, run, group, &mut after).await?;
            }
            ready = !groups::is_busy(&mut tx, run.project, group).await?;
        }
    }
    let one = std::slice::from_ref(run);
    let seats = match ready {
        true => engine.seat(one).await,
        false => vec![None],
    };
    let made = insert_and_commit(tx, one, &seats, ready).await;
    settle(engine, one, &seats, made, ready).await?;
    engine.after_end(after);
    Ok(run.id)
}

async fn insert_and_commit(
    mut tx: Transaction<'_, Postgres>,
    runs: &[NewRun],
    seats: &[Option<Seat>],
    ready: bool,
) -> Result<Made, RunsError> {
    let made = new_runs::insert(&mut tx, runs, seats, ready).await?;
    tx.commit().await?;
    Ok(made)
}

/// Ends the runs of the group that are not over.
async fn supersede(
    engine: &Engine,
    tx: &mut Transaction<'_, Postgres>,
    run: &NewRun,
    group: &str,
    after: &mut AfterEnd,
) -> Result<(), RunsError> {
    let outcome = Outcome {
        state: RunState::Canceled,
        reason: RunReason::Superseded,
        message: format!(
            "{}: run {}",
            finished_sentence(RunReason::Superseded),
            run.id
        ),
        exit_code: None,
    };
    for member in groups::members(tx, run.project, group).await? {
        engine
            .end_in(tx, member, &outcome, &run.actor, after)
            .await?;
    }
    Ok(())
}

/// After the commit: tells of leases and of what waits. Seats that were not used are given back, also when it failed.
async fn settle(
    engine: &Engine,
    runs: &[NewRun],
    seats: &[Option<Seat>],
    made: Result<Made, RunsError>,
    ready: bool,
) -> Result<(), RunsError> {
    let leased = made.as_ref().map_or(&[][..], |made| &made.leased);
    engine
        .board()
        .seated(runs.iter().map(lane_of), seats, leased);
    let made = made?;
    metrics::counter!("ck8s_runs_created_total")
        .increment((made.queued.len() + made.leased.len()) as u64);
    if ready && !made.queued.is_empty() {
        let mut board = engine.board();
        for queued in &made.queued {
            board.fair.opened(queued.lane, queued.place);
            engine.note(Note::Opened(queued.lane, queued.place));
        }
        drop(board);
        engine.wake_dispatcher();
    }
    engine.feed.wake();
    engine.note(Note::Events);
    let known: HashMap<RunId, &NewRun> = match made.leased.is_empty() {
        true => HashMap::new(),
        false => runs.iter().map(|r| (r.id, r)).collect(),
    };
    let fresh = |l: &crate::store::claim::Leased| Some((l.run, fresh(known.get(&l.run)?)));
    let known = made.leased.iter().filter_map(fresh).collect();
    // The runs are made, whatever happens to their grants: a grant that is not delivered is found by its worker's next Hello.
    if let Err(error) = engine.granted(&made.leased, known).await {
        tracing::warn!(%error, "cannot deliver grants");
    }
    Ok(())
}

fn lane_of(run: &NewRun) -> Lane {
    Lane {
        project: run.project,
        pool: run.pool,
    }
}

impl Engine {
    /// Seats for new runs that need not wait.
    async fn seat(&self, runs: &[NewRun]) -> Vec<Option<Seat>> {
        if self.shutdown.is_cancelled() {
            return vec![None; runs.len()];
        }
        let (seats, unknown) = self.board().seat(runs.iter().map(lane_of));
        if unknown.is_empty() || seats.iter().any(Option::is_some) {
            return seats;
        }
        if let Err(error) = self.read_slots(&unknown).await {
            tracing::warn!(%error, "cannot read free slots; new runs wait");
            return seats;
        }
        self.board().seat(runs.iter().map(lane_of)).0
    }
}

/// A run as it is just after it was made.
fn fresh(new: &NewRun) -> Run {
    Run {
        id: new.id,
        project: new.project,
        repository: new.repository,
        repository_name: new.repository_name.clone(),
        delivery: new.delivery,
        state: RunState::Pending,
        reason: None,
        message: String::new(),
        trigger: new.trigger.clone(),
        spec: new.spec.clone(),
        attempt: 1,
        slot: None,
        worker: None,
        exit_code: None,
        workload: String::new(),
        retry_of: new.retry_of,
        created_at: OffsetDateTime::now_utc(),
        started_at: None,
        finished_at: None,
    }
}
