//! The sweep: removes what is left of runs that have ended. Their workers are gone, or died in between.
use std::{collections::HashSet, sync::Arc, time::Duration};

use ck8s_proto::runs::v1::FilterSweepableRequest;
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{
    connection::{ConnectionState, request},
    context::WorkerContext,
    domain::WorkloadId,
    error::ExecutorError,
};

/// How often the sweep runs. Leftovers cost only space, so this need not be soon.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Bounds the runs of one request, as the contract does.
const MAX_RUNS_PER_REQUEST: usize = 500;

/// Why a sweep could not be done.
#[derive(Debug, Error)]
enum SweepError {
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    #[error("{}", .0.message())]
    Server(#[from] Status),
}

/// Sweeps every minute, from the moment when a server has said whose installation this is.
pub(crate) async fn run(
    context: Arc<WorkerContext>,
    mut connection: watch::Receiver<ConnectionState>,
    shutdown: CancellationToken,
) {
    let connected = connection.wait_for(|state| *state == ConnectionState::Connected);
    if !matches!(shutdown.run_until_cancelled(connected).await, Some(Ok(_))) {
        return;
    }
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    while shutdown
        .run_until_cancelled(interval.tick())
        .await
        .is_some()
    {
        match sweepable(&context).await {
            Ok(workloads) => remove(&context, &workloads).await,
            Err(error) => tracing::warn!(%error, "the sweep failed; it is tried again later"),
        }
    }
}

/// Returns the workloads that nobody needs: of earlier attempts of this worker's runs, and of runs that have ended.
async fn sweepable(context: &WorkerContext) -> Result<Vec<WorkloadId>, SweepError> {
    let (mut sweepable, mut unknown) = (Vec::new(), Vec::new());
    for workload in context.executor.leftovers().await? {
        match context.leases.attempt(workload.run_id) {
            // This worker holds the run, so no other worker holds an earlier attempt of it.
            Some(attempt) if workload.attempt < attempt && context.executor.outlives_worker() => {
                sweepable.push(workload);
            }
            Some(_) => {}
            None => unknown.push(workload),
        }
    }
    for workloads in unknown.chunks(MAX_RUNS_PER_REQUEST) {
        let message = FilterSweepableRequest {
            run_ids: workloads.iter().map(|w| w.run_id.to_string()).collect(),
        };
        let mut client = context.connection.client();
        let response = client.filter_sweepable(request(message)).await?;
        let run_ids: HashSet<String> = response.into_inner().run_ids.into_iter().collect();
        // A run that was granted to this worker meanwhile is in use.
        let ended = |w: &&WorkloadId| {
            run_ids.contains(&w.run_id.to_string()) && context.leases.attempt(w.run_id).is_none()
        };
        sweepable.extend(workloads.iter().filter(ended).cloned());
    }
    Ok(sweepable)
}

async fn remove(context: &WorkerContext, workloads: &[WorkloadId]) {
    for workload in workloads {
        let run_id = workload.run_id;
        tracing::info!(run.id = %run_id, attempt = workload.attempt, "sweeping what is left of a run");
        let removed = context.executor.remove(workload, None, Duration::ZERO);
        if let Err(error) = removed.await {
            tracing::warn!(run.id = %run_id, %error, "what is left of a run cannot be removed yet");
        }
    }
}
