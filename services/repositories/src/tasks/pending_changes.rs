//! Recovers changes at the provider that a crash, or an absent provider, interrupted.
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::periodic::periodic;
use crate::service::{RecoveryOutcome, Repositories};

/// How long an interrupted change waits at most once its provider is back.
const RECOVERY_INTERVAL: Duration = Duration::from_secs(15);

pub(crate) async fn pending_changes(repositories: Repositories, shutdown: CancellationToken) {
    let round = || repositories.recover_all();
    periodic::<RecoveryOutcome, _>("pending_changes", RECOVERY_INTERVAL, shutdown, round).await;
}
