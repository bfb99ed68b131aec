//! Keeps repositories as they should be: what was left half done is brought to its end, services.yaml is looked at every ten minutes;
//! and tells their provider of runs.
//! Several replicas may: what one takes, no other does.
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::service::Repositories;

/// Between rounds.
const PERIOD: Duration = Duration::from_secs(15);

/// On start and periodically, until shutdown.
pub(crate) async fn run(repositories: Repositories, shutdown: CancellationToken) {
    let rounds = async {
        loop {
            if let Err(error) = repositories.recover_all().await {
                tracing::warn!(%error, "what was left half done stays so for now");
            }
            if let Err(error) = repositories.look_at_due().await {
                tracing::warn!(%error, "no services.yaml was looked at");
            }
            tokio::time::sleep(PERIOD).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        () = shutdown.cancelled() => {}
    }
}

/// How soon a run's change is told.
const SOON: Duration = Duration::from_secs(1);

/// Tells the provider of runs, until shutdown.
pub(crate) async fn report(repositories: Repositories, shutdown: CancellationToken) {
    let rounds = async {
        loop {
            if let Err(error) = repositories.report().await {
                tracing::warn!(%error, "runs are told of later");
            }
            tokio::time::sleep(SOON).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        () = shutdown.cancelled() => {}
    }
}
