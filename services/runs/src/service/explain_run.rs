//! ExplainRun: why a run waits.
use ck8s_types::{EventKind, ProjectId, RunId, RunState, Slot};
use sqlx::PgConnection;

use super::Requester;
use crate::{
    domain::{Explanation, QueueEntry, Run, SlotStatus, WaitCause, WaitReason},
    engine::Engine,
    error::RunsError,
    store::{events, leases, slots, waits},
};

/// Slots and runs that a reason names: it bounds the answer.
const MAX_NAMED: usize = 20;
/// Runs that a sentence names.
const MAX_NAMED_IN_SENTENCE: usize = 3;
/// Slots that a project can have.
const MAX_SLOTS: i64 = 10_000;

/// Says why a run waits, most important first.
pub(crate) async fn explain_run(
    engine: &Engine,
    requester: &Requester,
    run_id: RunId,
) -> Result<Explanation, RunsError> {
    let mut conn = engine.pool.acquire().await?;
    let run = requester.run(&mut conn, run_id).await?;
    let (reasons, ahead) = match waits::queue_entry(&mut conn, run.id).await? {
        Some(entry) => {
            let reasons = queued(engine, &mut conn, run.id, &entry).await?;
            (reasons, entry.ahead)
        }
        None if !run.state.is_terminal() => (leased(&mut conn, &run).await?, 0),
        None => (Vec::new(), 0),
    };
    Ok(Explanation {
        run,
        reasons,
        ahead,
    })
}

/// The run waits for its lease.
async fn queued(
    engine: &Engine,
    conn: &mut PgConnection,
    run: RunId,
    entry: &QueueEntry,
) -> Result<Vec<WaitReason>, RunsError> {
    let mut reasons = Vec::new();
    if let (false, Some(group)) = (entry.ready, &entry.group) {
        let before = waits::group_before(conn, run, entry.project, group).await?;
        let message = format!(
            "run {} of its concurrency group {group:?} goes first",
            sentence_list(&before)
        );
        reasons.push(WaitReason::new(WaitCause::Group, message).with_runs(before));
    }
    reasons.extend(no_slot(engine, conn, entry.project).await?);
    let workers = waits::suitable_workers(conn, &entry.labels).await?;
    reasons.extend(workers.obstacle(&entry.labels));
    if entry.ahead > 0 {
        let first = waits::ahead(conn, run, MAX_NAMED as i64).await?;
        let message = format!(
            "{} of the project's runs go first, by priority or age",
            entry.ahead
        );
        reasons.push(WaitReason::new(WaitCause::Priority, message).with_runs(first));
    }
    if reasons.is_empty() {
        let message = "nothing is in its way: it is about to start";
        reasons.push(WaitReason::new(WaitCause::Next, message));
    }
    Ok(reasons)
}

/// Returns which runs hold the project's slots, and until when at most. None: a slot is free.
async fn no_slot(
    engine: &Engine,
    conn: &mut PgConnection,
    project: ProjectId,
) -> Result<Option<WaitReason>, RunsError> {
    let default_slots = engine.config.default_slots;
    if slots::count(conn, project, default_slots).await? == 0 {
        let message = "the project has no slots: set some with `ck8s slot set`";
        return Ok(Some(WaitReason::new(WaitCause::NoSlot, message)));
    }
    let mut taken = slots::list(conn, &[project], default_slots, None, MAX_SLOTS).await?;
    if taken.iter().any(|s| s.lease.is_none()) {
        return Ok(None);
    }
    taken.sort_by_key(|s| s.lease.as_ref().map(|l| l.deadline));
    let message = all_taken(&taken);
    taken.truncate(MAX_NAMED);
    let runs = taken
        .iter()
        .filter_map(|s| s.lease.as_ref().map(|l| l.lease.run_id))
        .collect();
    Ok(Some(WaitReason {
        cause: WaitCause::NoSlot,
        message,
        slots: taken,
        runs,
    }))
}

/// Says that these slots, ordered by their deadlines, are all that the project has.
fn all_taken(taken: &[SlotStatus]) -> String {
    let leases = || taken.iter().filter_map(|s| s.lease.as_ref());
    let until = leases().next().map_or_else(String::new, |lease| {
        let at = lease.deadline;
        format!(
            "; the first is free on {} at {:02}:{:02}:{:02}Z at the latest",
            at.date(),
            at.hour(),
            at.minute(),
            at.second()
        )
    });
    let releasing = match leases().filter(|lease| lease.is_releasing).count() {
        0 => String::new(),
        releasing => format!(", {releasing} of them being released"),
    };
    format!(
        "all {} slots of the project are taken{releasing}{until}",
        taken.len()
    )
}

/// The run has its lease.
async fn leased(conn: &mut PgConnection, run: &Run) -> Result<Vec<WaitReason>, RunsError> {
    let Some(worker) = &run.worker else {
        let message = "its worker is gone; another one is looked for";
        return Ok(vec![WaitReason::new(WaitCause::Takeover, message)]);
    };
    if run.state == RunState::Running {
        return Ok(Vec::new());
    }
    let slot = run.slot.map_or(0, Slot::number);
    let silent = match leases::lease_until(conn, worker).await? {
        None => ", which is not heard",
        Some(_) => "",
    };
    let delay = events::last_of_run(conn, run.id, EventKind::RunStartDelayed, run.attempt).await?;
    let starts = match delay {
        Some(delay) => format!("its workload has not started: {delay}"),
        None => "its workload starts".to_owned(),
    };
    let message = format!("slot {slot} on worker {worker}{silent}: {starts}");
    Ok(vec![WaitReason::new(WaitCause::Starting, message)])
}

fn sentence_list(runs: &[RunId]) -> String {
    let named: Vec<String> = runs
        .iter()
        .take(MAX_NAMED_IN_SENTENCE)
        .map(RunId::to_string)
        .collect();
    named.join(", ")
}
