//! The writer of new runs: takes all that has gathered, writes it in one transaction, and leases what can start at once in the same one.
use std::{collections::HashMap, sync::Arc};

use ck8s_types::{RequestId, RunId, RunReason, RunState};
use sqlx::{Postgres, Transaction};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};

use super::{AfterEnd, Engine, Note, plan::Plan};
use crate::{
    RunsError,
    domain::{NewRun, Outcome, Run, finished_sentence},
    store::{
        claim::{self, Claimed},
        groups,
        new_runs::{self, Queued},
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

/// Runs without a group: all in one transaction; if that fails, each on its own, so that one bad run hurts nobody.
async fn create_plain(engine: &Engine, creations: Vec<Creation>) {
    let all: Vec<NewRun> = creations
        .iter()
        .flat_map(|c| c.runs.iter().cloned())
        .collect();
    match write(engine, &all).await {
        Ok(()) => {
            for creation in creations {
                let _ = creation
                    .reply
                    .send(creation.runs.iter().map(|r| Ok(r.id)).collect());
            }
        }
        Err(error) => {
            tracing::warn!(%error, runs = all.len(), "a batch of new runs failed; trying one by one");
            for creation in creations {
                let mut answer = Vec::with_capacity(creation.runs.len());
                for run in &creation.runs {
                    answer.push(
                        write(engine, std::slice::from_ref(run))
                            .await
                            .map(|()| run.id),
                    );
                }
                let _ = creation.reply.send(answer);
            }
        }
    }
}

async fn write(engine: &Engine, all: &[NewRun]) -> Result<(), RunsError> {
    let mut tx = engine.pool.begin().await?;
    let queued = new_runs::insert(&mut tx, all, true).await?;
    commit(engine, tx, queued, all, AfterEnd::default()).await
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
    let queued = new_runs::insert(&mut tx, one, ready).await?;
    commit(engine, tx, queued, one, after).await?;
    Ok(run.id)
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

/// Leases what can start at once, commits, and tells everybody.
async fn commit(
    engine: &Engine,
    mut tx: Transaction<'_, Postgres>,
    queued: Vec<Queued>,
    made: &[NewRun],
    after: AfterEnd,
) -> Result<(), RunsError> {
    let open = |bump: &dyn Fn(&Queued)| queued.iter().filter(|q| q.ready).for_each(bump);
    open(&|q| engine.board().fair.opened(q.lane, q.place));
    let plan = engine.plan().await;
    let written = async {
        let claimed = match &plan {
            Some(plan) => claim::claim(&mut tx, &plan.wants).await?,
            None => Claimed::default(),
        };
        tx.commit().await?;
        Ok::<_, sqlx::Error>(claimed)
    };
    let claimed = match written.await {
        Ok(claimed) => claimed,
        Err(error) => {
            if let Some(plan) = &plan {
                engine.board().abandon(plan);
            }
            return Err(error.into());
        }
    };
    metrics::counter!("ck8s_runs_created_total").increment(queued.len() as u64);
    // Opened once more: another plan may have looked between the insert and the commit, seen nothing and closed the lane.
    let taken: std::collections::HashSet<RunId> = claimed.leased.iter().map(|l| l.run).collect();
    open(&|q| {
        if !taken.contains(&q.run) {
            engine.board().fair.opened(q.lane, q.place);
            engine.note(Note::Opened(q.lane, q.place));
        }
    });
    if let Some(plan) = plan {
        tell_leased(engine, &plan, &claimed, made).await;
    }
    engine.after_end(after);
    Ok(())
}

/// The runs are made, whatever happens to their grants: a grant that is not delivered is found by its worker's next Hello.
async fn tell_leased(engine: &Engine, plan: &Plan, claimed: &Claimed, made: &[NewRun]) {
    let wanted: std::collections::HashSet<RunId> = claimed.leased.iter().map(|l| l.run).collect();
    let known: HashMap<RunId, Run> = made
        .iter()
        .filter(|r| wanted.contains(&r.id))
        .map(|r| (r.id, fresh(r)))
        .collect();
    if let Err(error) = engine.leased(plan, claimed, known).await {
        tracing::warn!(%error, "cannot deliver grants");
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
