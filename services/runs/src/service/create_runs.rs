//! CreateRuns: the runs that deliveries ask for.
use ck8s_types::RunId;
use tokio::sync::oneshot;

use super::label_pools::pool_of;
use crate::{
    domain::{CreateResult, DeliveryRun, NewRun},
    engine::{CreateRuns, Engine},
    error::RunsError,
};

/// The event of a time that is due, and who makes its runs.
const SCHEDULE: &str = "schedule";

/// Makes the runs of deliveries. Returns, for each in order, what became of it; making a run twice makes it once.
pub(crate) async fn create_runs(
    engine: &Engine,
    runs: Vec<DeliveryRun>,
) -> Result<Vec<CreateResult>, RunsError> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let mut new = Vec::with_capacity(runs.len());
    for run in runs {
        new.push(new_run(engine, run).await?);
    }
    let (reply, created) = oneshot::channel();
    let creation = CreateRuns {
        runs: new,
        request: None,
        reply,
    };
    engine.create(creation).await?;
    let created = created.await.map_err(|_| RunsError::Stopping)?;
    created.into_iter().map(create_result).collect()
}

fn create_result(created: Result<RunId, RunsError>) -> Result<CreateResult, RunsError> {
    match created {
        Ok(run) => Ok(CreateResult::Created(run)),
        Err(RunsError::Database(sqlx::Error::Database(e))) if e.is_foreign_key_violation() => {
            Ok(CreateResult::OwnerGone)
        }
        Err(error) => Err(error),
    }
}

async fn new_run(engine: &Engine, run: DeliveryRun) -> Result<NewRun, RunsError> {
    Ok(NewRun {
        id: run.id(),
        project: run.project,
        repository: run.repository,
        repository_name: run.repository_name,
        delivery: Some(run.delivery),
        actor: match run.trigger.event.as_str() {
            SCHEDULE => SCHEDULE.to_owned(),
            _ => format!("github:{}", run.trigger.actor),
        },
        trigger: run.trigger,
        retry_of: None,
        pool: pool_of(engine, &run.spec.labels).await?,
        spec: run.spec,
    })
}
