//! Recovers deliveries that did not arrive: on start and every five minutes, one replica at a time.
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::service::recover_deliveries::{Recovery, RecoveryOutcome};

/// The pause between rounds.
const RECOVERY_INTERVAL: Duration = Duration::from_secs(300);
/// The pause after a round in which some repository could not be looked at.
const PARTIAL_INTERVAL: Duration = Duration::from_secs(60);
/// The pause after a round that failed.
const FAILURE_INTERVAL: Duration = Duration::from_secs(10);

/// Runs rounds until shutdown.
pub(crate) async fn run(recovery: Recovery, shutdown: CancellationToken) {
    let rounds = async {
        loop {
            let pause = match recovery.recover_all().await {
                Ok(RecoveryOutcome::Complete | RecoveryOutcome::NotOurs) => RECOVERY_INTERVAL,
                Ok(RecoveryOutcome::Partial) => PARTIAL_INTERVAL,
                Err(error) => {
                    tracing::warn!(%error, "missing deliveries were not looked for");
                    FAILURE_INTERVAL
                }
            };
            tokio::time::sleep(pause).await;
        }
    };
    shutdown.run_until_cancelled(rounds).await;
}
