//! ReleaseSlot: frees a slot that no worker gives back.
use ck8s_db::{
    events::{self, FlowEvent},
    request_ids::RequestKey,
};
use ck8s_types::{EventKind, ProjectId, RunReason, Slot};
use sqlx::{Postgres, Transaction};

use super::Requester;
use crate::{
    domain::{HeldSlot, Outcome, QueuedRun, ReleaseRefusal, Run},
    engine::{EndedRuns, Engine, PROCESS_GONE},
    error::RunsError,
    store::{groups, request_ids, runs, slots},
};

/// The slot that somebody wants to free.
pub(crate) struct ReleaseRequest<'a> {
    /// The project's id or slug.
    pub project: &'a str,
    pub slot: Slot,
    /// Also where the workload is not known to be gone.
    pub force: bool,
}

/// Frees a slot whose run has ended or whose worker is lost. Returns the run that held it, as it is then.
pub(crate) async fn release_slot(
    engine: &Engine,
    requester: &Requester,
    request: ReleaseRequest<'_>,
    key: Option<RequestKey>,
) -> Result<Run, RunsError> {
    let (project, slug) = requester.project(&engine.peers, request.project).await?;
    let slot = request.slot;
    let mut tx = engine.pool.begin().await?;
    if let Some(run) = request_ids::claim_for_run(&mut tx, key.as_ref()).await? {
        return runs::get(&mut tx, run).await;
    }
    let held = slots::lock(&mut tx, project, slot).await?;
    let held = held.ok_or_else(|| RunsError::SlotFree(slug.clone(), slot))?;
    held.check_release(request.force, PROCESS_GONE)
        .map_err(|refusal| refused(&held, refusal))?;
    let run = held.lease.run_id;
    let actor = requester.actor();
    let mut ended = EndedRuns::default();
    let outcome = Outcome {
        message: format!("Its worker was lost, and {actor} freed its slot."),
        ..Outcome::of(RunReason::WorkerLost)
    };
    ended.end(&mut tx, run, &outcome, &actor).await?;
    let next = free(&mut tx, project, &held).await?;
    let event = FlowEvent {
        kind: EventKind::SlotReleased,
        project_id: Some(project),
        run_id: Some(run),
        actor,
        message: format!("slot {slot} of project {slug} was freed by hand"),
        data: Some(serde_json::json!({
            "slot": slot.number(),
            "lease_epoch": held.lease.epoch.0,
            "executor_domain": held.domain.as_str(),
            "force": request.force,
        })),
    };
    events::record(&mut tx, &[event]).await?;
    request_ids::answer_with_run(&mut tx, key.as_ref(), run).await?;
    tx.commit().await?;
    ended.announce(engine);
    engine.slot_freed(project, &held, next);
    runs::get(&mut *engine.pool.acquire().await?, run).await
}

/// Ends the lease. Returns the run of its concurrency group that goes on.
async fn free(
    tx: &mut Transaction<'_, Postgres>,
    project: ProjectId,
    held: &HeldSlot,
) -> Result<Option<QueuedRun>, RunsError> {
    let Some(group) = slots::free_locked(tx, held).await? else {
        return Ok(None);
    };
    groups::lock(tx, project, &group).await?;
    Ok(groups::promote(tx, project, &group).await?)
}

fn refused(held: &HeldSlot, refusal: ReleaseRefusal) -> RunsError {
    let run = held.lease.run_id;
    match refusal {
        ReleaseRefusal::Held(worker) => RunsError::SlotHeld(run, worker),
        ReleaseRefusal::InDoubt => RunsError::SlotInDoubt(run, held.domain.to_string()),
    }
}
