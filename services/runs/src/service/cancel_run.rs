//! CancelRun: ends a run because somebody asks for it.
use ck8s_db::request_ids::RequestKey;
use ck8s_types::{RunId, RunReason};

use super::Requester;
use crate::{
    domain::{Outcome, Run, default_message},
    engine::{EndedRuns, Engine},
    error::RunsError,
    store::{request_ids, runs},
};

/// Ends a run, for this reason in the caller's words; empty: a default. Returns the run as it is then.
pub(crate) async fn cancel_run(
    engine: &Engine,
    requester: &Requester,
    run_id: RunId,
    message: String,
    request: Option<RequestKey>,
) -> Result<Run, RunsError> {
    {
        let mut conn = engine.pool.acquire().await?;
        requester.run(&mut conn, run_id).await?;
    }
    let actor = requester.actor();
    let message = if message.is_empty() {
        format!("{} by {actor}", default_message(RunReason::CanceledByUser))
    } else {
        message
    };
    let outcome = Outcome {
        message,
        ..Outcome::of(RunReason::CanceledByUser)
    };
    cancel(engine, run_id, request, &outcome, &actor).await?;
    runs::get(&mut *engine.pool.acquire().await?, run_id).await
}

async fn cancel(
    engine: &Engine,
    run_id: RunId,
    request: Option<RequestKey>,
    outcome: &Outcome,
    actor: &str,
) -> Result<(), RunsError> {
    let mut tx = engine.pool.begin().await?;
    if request_ids::claim_for_run(&mut tx, request.as_ref())
        .await?
        .is_some()
    {
        return Ok(());
    }
    let mut ended = EndedRuns::default();
    if !ended.end(&mut tx, run_id, outcome, actor).await? {
        let run = runs::get(&mut tx, run_id).await?;
        return Err(RunsError::Ended(run.id, run.state));
    }
    request_ids::answer_with_run(&mut tx, request.as_ref(), run_id).await?;
    tx.commit().await?;
    ended.announce(engine);
    Ok(())
}
