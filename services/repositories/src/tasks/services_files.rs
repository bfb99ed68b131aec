//! Syncs the repositories that nobody has synced for a while: services.yaml, and the state of the hook.
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::periodic::periodic;
use crate::service::{Repositories, SyncOutcome};

/// How often the task looks for repositories that are due.
const SYNC_ROUND_INTERVAL: Duration = Duration::from_secs(15);

pub(crate) async fn services_files(repositories: Repositories, shutdown: CancellationToken) {
    let round = || repositories.sync_due();
    periodic::<SyncOutcome, _>("services_files", SYNC_ROUND_INTERVAL, shutdown, round).await;
}
