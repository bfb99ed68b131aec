//! CancelRun.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{
    caller,
    convert::{id, optional_id},
};
use ck8s_types::{RequestId, RunId, RunReason, RunState};
use tonic::{Request, Status};

use super::read::reached;
use crate::{
    RunsError,
    domain::{Outcome, finished_sentence},
    engine::{AfterEnd, Engine},
    store::runs,
};

/// Longest reason that is kept.
const LONGEST_MESSAGE: usize = 1000;

pub async fn cancel_run(
    engine: &Engine,
    request: &Request<pb::CancelRunRequest>,
) -> Result<pb::CancelRunResponse, Status> {
    let asked = request.get_ref();
    let run_id: RunId = id("run_id", &asked.run_id)?;
    let request_id: Option<RequestId> = optional_id("request_id", &asked.request_id)?;
    {
        let mut conn = engine.pool.acquire().await.map_err(RunsError::from)?;
        reached(&mut conn, request, run_id).await?;
    }
    let actor = caller::caller(request).actor();
    let said: String = asked
        .message
        .chars()
        .filter(|c| *c != '\0')
        .take(LONGEST_MESSAGE)
        .collect();
    let message = if said.is_empty() {
        format!(
            "{} by {actor}",
            finished_sentence(RunReason::CanceledByUser)
        )
    } else {
        said
    };
    let outcome = Outcome {
        state: RunState::Canceled,
        reason: RunReason::CanceledByUser,
        message,
        exit_code: None,
    };
    cancel(engine, run_id, request_id, &outcome, &actor).await?;
    let run = runs::get(
        &mut *engine.pool.acquire().await.map_err(RunsError::from)?,
        run_id,
    )
    .await?;
    Ok(pb::CancelRunResponse {
        run: Some(run.into()),
    })
}

async fn cancel(
    engine: &Engine,
    run_id: RunId,
    request_id: Option<RequestId>,
    outcome: &Outcome,
    actor: &str,
) -> Result<(), RunsError> {
    let mut tx = engine.pool.begin().await?;
    if let Some(request_id) = request_id
        && runs::take_request(&mut tx, request_id, "CancelRun", run_id)
            .await?
            .is_some()
    {
        return Ok(());
    }
    let mut after = AfterEnd::default();
    if !engine
        .end_in(&mut tx, run_id, outcome, actor, &mut after)
        .await?
    {
        let run = runs::get(&mut tx, run_id).await?;
        return Err(RunsError::Ended(run.id, run.state));
    }
    tx.commit().await?;
    engine.after_end(after);
    Ok(())
}
