//! ExplainRun: why a run waits.
use ck8s_proto::runs::v1::{self as pb, WaitCause};
use ck8s_rpc::convert::id;
use ck8s_types::{ProjectId, RunId, RunState};
use sqlx::PgConnection;
use tonic::{Request, Status};
use uuid::Uuid;

use super::read::reached;
use crate::{
    RunsError,
    domain::{Run, finished_sentence},
    engine::Engine,
    store::{
        leases,
        slots::{self, SlotRow},
        waits::{self, Waiting},
    },
};

/// Most slots and runs that are named.
const NAMED: i64 = 20;

pub async fn explain_run(
    engine: &Engine,
    request: &Request<pb::ExplainRunRequest>,
) -> Result<pb::ExplainRunResponse, Status> {
    let run_id: RunId = id("run_id", &request.get_ref().run_id)?;
    let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
    let run = reached(&mut conn, request, run_id).await?;
    Ok(explain(engine, &mut conn, run).await?)
}

async fn explain(
    engine: &Engine,
    conn: &mut PgConnection,
    run: Run,
) -> Result<pb::ExplainRunResponse, RunsError> {
    let (reasons, ahead) = match waits::waiting(conn, run.id).await? {
        Some(waiting) => (queued(engine, conn, run.id, &waiting).await?, waiting.ahead),
        None if !run.state.is_terminal() => (leased(conn, &run).await?, 0),
        None => (Vec::new(), 0),
    };
    let summary = summary(&run, &reasons, ahead);
    Ok(pb::ExplainRunResponse {
        run: Some(run.into()),
        reasons,
        ahead,
        summary,
    })
}

fn reason(
    cause: WaitCause,
    message: String,
    slots: Vec<pb::Slot>,
    runs: &[Uuid],
) -> pb::WaitReason {
    pb::WaitReason {
        cause: cause.into(),
        message,
        slots,
        run_ids: runs.iter().map(Uuid::to_string).collect(),
    }
}

/// It waits for its lease: most important first.
async fn queued(
    engine: &Engine,
    conn: &mut PgConnection,
    run: RunId,
    waiting: &Waiting,
) -> Result<Vec<pb::WaitReason>, RunsError> {
    let mut reasons = Vec::new();
    if let (false, Some(group)) = (waiting.ready, &waiting.group) {
        let before = waits::group_before(conn, run, waiting.project, group).await?;
        let message = format!(
            "run {} of its concurrency group {group:?} goes first",
            list(&before)
        );
        reasons.push(reason(WaitCause::Group, message, Vec::new(), &before));
    }
    if let Some(full) = no_slot(engine, conn, waiting.project).await? {
        reasons.push(full);
    }
    let suitable = waits::suitable(conn, &waiting.labels).await?;
    let labels = match waiting.labels.as_slice() {
        [] => "connected".to_owned(),
        labels => format!("connected with the labels {}", labels.join(", ")),
    };
    if suitable.connected == 0 {
        reasons.push(reason(
            WaitCause::NoWorker,
            format!("no worker is {labels}"),
            Vec::new(),
            &[],
        ));
    } else if suitable.taking == 0 {
        let message = format!("every worker that is {labels} is draining");
        reasons.push(reason(WaitCause::NoWorker, message, Vec::new(), &[]));
    } else if suitable.held >= suitable.capacity {
        let message = format!(
            "every worker that is {labels} is full: {} of {} leases are held",
            suitable.held, suitable.capacity
        );
        reasons.push(reason(WaitCause::WorkersFull, message, Vec::new(), &[]));
    }
    if waiting.ahead > 0 {
        let first = waits::ahead(conn, run, NAMED).await?;
        let message = format!(
            "{} of the project's runs go first, by priority or age",
            waiting.ahead
        );
        reasons.push(reason(WaitCause::Priority, message, Vec::new(), &first));
    }
    if reasons.is_empty() {
        reasons.push(reason(
            WaitCause::Next,
            "nothing is in its way: it is about to start".to_owned(),
            Vec::new(),
            &[],
        ));
    }
    Ok(reasons)
}

/// Every slot is taken: by which runs, and until when at most.
async fn no_slot(
    engine: &Engine,
    conn: &mut PgConnection,
    project: ProjectId,
) -> Result<Option<pb::WaitReason>, RunsError> {
    let default_slots = engine.config.default_slots;
    let count = slots::count(conn, project, default_slots).await?;
    if count == 0 {
        let message = "the project has no slots: set some with `ck8s slot set`".to_owned();
        return Ok(Some(reason(WaitCause::NoSlot, message, Vec::new(), &[])));
    }
    let all = slots::list(
        conn,
        &[project.uuid()],
        default_slots,
        (Uuid::nil(), 0),
        10_000,
    )
    .await?;
    if all.iter().any(|s| s.lease.is_none()) {
        return Ok(None);
    }
    let mut taken: Vec<SlotRow> = all;
    taken.sort_by_key(|s| s.lease.as_ref().map(|l| l.deadline));
    let until = taken
        .first()
        .and_then(|s| s.lease.as_ref())
        .map_or_else(String::new, |l| {
            let at = l.deadline;
            format!(
                "; the first is free on {} at {:02}:{:02}:{:02}Z at the latest",
                at.date(),
                at.hour(),
                at.minute(),
                at.second()
            )
        });
    let releasing = taken
        .iter()
        .filter(|s| s.lease.as_ref().is_some_and(|l| l.releasing))
        .count();
    let still = if releasing > 0 {
        format!(", {releasing} of them being released")
    } else {
        String::new()
    };
    let runs: Vec<Uuid> = taken
        .iter()
        .filter_map(|s| s.lease.as_ref().map(|l| l.run))
        .take(20)
        .collect();
    let message = format!(
        "all {} slots of the project are taken{still}{until}",
        taken.len()
    );
    let slots = taken.into_iter().take(20).map(Into::into).collect();
    Ok(Some(reason(WaitCause::NoSlot, message, slots, &runs)))
}

/// It has its lease.
async fn leased(conn: &mut PgConnection, run: &Run) -> Result<Vec<pb::WaitReason>, RunsError> {
    let Some(worker) = &run.worker else {
        let message = "its worker is gone; another one is looked for".to_owned();
        return Ok(vec![reason(WaitCause::Takeover, message, Vec::new(), &[])]);
    };
    if run.state == RunState::Running {
        return Ok(Vec::new());
    }
    let known = leases::lease_until(conn, worker).await?;
    let slot = run.slot.unwrap_or(0);
    let silent = if known.is_none() {
        ", which is not heard"
    } else {
        ""
    };
    let message = format!("slot {slot} on worker {worker}{silent}: its workload starts");
    Ok(vec![reason(WaitCause::Starting, message, Vec::new(), &[])])
}

fn summary(run: &Run, reasons: &[pb::WaitReason], ahead: i64) -> String {
    match (run.state, run.reason) {
        (state, Some(reason)) if run.message.is_empty() => {
            format!("{state} ({reason}): {}", finished_sentence(reason))
        }
        (state, Some(reason)) => format!("{state} ({reason}): {}", run.message),
        (state, None) if reasons.is_empty() => format!("{state}: it does not wait"),
        (state, None) => {
            let all: Vec<&str> = reasons.iter().map(|r| r.message.as_str()).collect();
            let place = if ahead > 0 {
                format!(" (place {} in the project's queue)", ahead + 1)
            } else {
                String::new()
            };
            format!("{state}: {}{place}", all.join("; "))
        }
    }
}

fn list(ids: &[Uuid]) -> String {
    ids.iter()
        .take(3)
        .map(Uuid::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
