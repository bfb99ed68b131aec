//! Removes what is left of runs that have ended: their workers are gone, or died in between.
use std::{collections::HashSet, sync::Arc, time::Duration};

use ck8s_proto::runs::v1::FilterSweepableRequest;
use tokio_util::sync::CancellationToken;

use crate::{connection::call, executor::Target, task::Context};

const EVERY: Duration = Duration::from_secs(60);
/// The contract's bound.
const AT_ONCE: usize = 500;

/// Sweeps now and every minute.
pub(crate) async fn run(context: Arc<Context>, shutdown: CancellationToken) {
    let mut every = tokio::time::interval(EVERY);
    while shutdown.run_until_cancelled(every.tick()).await.is_some() {
        if let Err(error) = sweep(&context).await {
            tracing::warn!(error, "cannot sweep now");
        }
    }
}

async fn sweep(context: &Context) -> Result<(), String> {
    let mut found = context
        .executor
        .leftovers()
        .await
        .map_err(|e| e.to_string())?;
    // Earlier attempts of a run that this worker holds: no other worker holds them.
    let earlier = |target: &Target| {
        context
            .leases
            .attempt(target.run)
            .map(|held| target.attempt < held)
    };
    let (mut old, mut rest) = (Vec::new(), Vec::new());
    for target in found.drain(..) {
        match earlier(&target) {
            Some(true) if context.executor.outlives_worker() => old.push(target),
            Some(_) => {}
            None => rest.push(target),
        }
    }
    for targets in rest.chunks(AT_ONCE) {
        let request = FilterSweepableRequest {
            run_ids: targets.iter().map(|t| t.run.to_string()).collect(),
        };
        let answer = context
            .connection
            .client()
            .filter_sweepable(call(request))
            .await;
        let answer = answer
            .map_err(|status| status.message().to_owned())?
            .into_inner();
        let sweepable: HashSet<String> = answer.run_ids.into_iter().collect();
        // Granted in the meantime, it is not ours to sweep.
        let ours = |t: &&Target| {
            sweepable.contains(&t.run.to_string()) && context.leases.attempt(t.run).is_none()
        };
        old.extend(targets.iter().filter(ours).cloned());
    }
    for target in old {
        tracing::info!(run.id = %target.run, attempt = target.attempt, "sweeping what is left of a run");
        if let Err(error) = context.executor.remove(&target, None, Duration::ZERO).await {
            tracing::warn!(run.id = %target.run, %error, "cannot sweep it now");
        }
    }
    Ok(())
}
