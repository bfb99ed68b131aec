//! RetryRun: a run once more.
use ck8s_db::request_ids::RequestKey;
use ck8s_types::RunId;

use super::{Requester, label_pools::pool_of, make_run::make_run};
use crate::{
    domain::{NewRun, Run},
    engine::Engine,
    error::RunsError,
};

/// Makes a run with the trigger and the spec of one that has ended.
pub(crate) async fn retry_run(
    engine: &Engine,
    requester: &Requester,
    run_id: RunId,
    request: Option<RequestKey>,
) -> Result<Run, RunsError> {
    let old = {
        let mut conn = engine.pool.acquire().await?;
        requester.run(&mut conn, run_id).await?
    };
    if !old.state.is_terminal() {
        return Err(RunsError::NotEnded(old.id, old.state));
    }
    requester.check_secrets(old.project, &old.trigger, &old.spec)?;
    let mut trigger = old.trigger;
    trigger.admin_spec = trigger.name.is_empty() && !old.spec.secrets.is_empty();
    let new = NewRun {
        id: RunId::new(),
        project: old.project,
        repository: old.repository,
        repository_name: old.repository_name,
        delivery: None,
        pool: pool_of(engine, &old.spec.labels).await?,
        trigger,
        spec: old.spec,
        retry_of: Some(old.id),
        actor: requester.actor(),
    };
    make_run(engine, requester, new, request).await
}
