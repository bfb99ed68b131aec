//! CreateRuns: runs of deliveries.
use ck8s_proto::runs::v1 as pb;
use ck8s_rpc::{
    convert::{id, optional_id, spec_from_pb, trigger_from_pb},
    status,
};
use ck8s_types::{DeliveryId, RunId};
use tokio::sync::oneshot;
use tonic::Status;

use crate::{
    RunsError,
    domain::{NewRun, PoolId},
    engine::{Creation, Engine},
    store::pools,
};

/// Most runs of one call.
const MOST: usize = 1000;

pub async fn create_runs(
    engine: &Engine,
    request: pb::CreateRunsRequest,
) -> Result<pb::CreateRunsResponse, Status> {
    let asked = request.runs;
    if asked.len() > MOST {
        return Err(status::invalid("runs", format!("at most {MOST}")));
    }
    let mut results = vec![pb::CreateRunResult::default(); asked.len()];
    let (mut places, mut runs) = (
        Vec::with_capacity(asked.len()),
        Vec::with_capacity(asked.len()),
    );
    for (place, new) in asked.into_iter().enumerate() {
        match parse(engine, new).await {
            Ok(run) => {
                places.push(place);
                runs.push(run);
            }
            Err(fault) if fault.code() == tonic::Code::InvalidArgument => {
                fault.message().clone_into(&mut results[place].error);
            }
            Err(fault) => return Err(fault),
        }
    }
    for (place, made) in places.into_iter().zip(create(engine, runs).await?) {
        match made {
            Ok(run_id) => results[place].run_id = run_id.to_string(),
            Err(RunsError::Database(sqlx::Error::Database(e))) if e.is_foreign_key_violation() => {
                "its project or repository is gone".clone_into(&mut results[place].error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(pb::CreateRunsResponse { results })
}

async fn parse(engine: &Engine, new: pb::NewRun) -> Result<NewRun, Status> {
    let delivery: DeliveryId = id("delivery_id", &new.delivery_id)?;
    let trigger = trigger_from_pb(new.trigger.unwrap_or_default());
    let spec =
        spec_from_pb(new.spec.unwrap_or_default()).map_err(|f| ck8s_rpc::convert::invalid(&f))?;
    Ok(NewRun {
        id: RunId::of_delivery(delivery),
        project: id("project_id", &new.project_id)?,
        repository: optional_id("repository_id", &new.repository_id)?,
        repository_name: new.repository_name,
        delivery: Some(delivery),
        actor: format!("github:{}", trigger.actor),
        trigger,
        retry_of: None,
        pool: pool(engine, &spec.labels).await?,
        spec,
    })
}

/// The number of a set of labels.
pub async fn pool(engine: &Engine, labels: &[String]) -> Result<PoolId, RunsError> {
    if let Some(pool) = engine.known_pool(labels) {
        return Ok(pool);
    }
    let pool = pools::ensure(&mut *engine.pool.acquire().await?, labels).await?;
    engine.learn_pool(pool, labels.to_vec());
    Ok(pool)
}

async fn create(
    engine: &Engine,
    runs: Vec<NewRun>,
) -> Result<Vec<Result<RunId, RunsError>>, RunsError> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let (reply, answer) = oneshot::channel();
    let creation = Creation {
        runs,
        request: None,
        reply,
    };
    engine.create(creation).await?;
    answer.await.map_err(|_| RunsError::Stopping)
}
