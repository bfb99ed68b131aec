//! Recovers deliveries that did not arrive: reads the providers' lists on start and every five minutes, and goes on
//! with what is missing in between. One replica at a time.
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::service::recover_deliveries::{Listing, Recovery, RecoveryOutcome};

/// The pause between rounds: what arrives is noted that late, and what is due is asked for that late.
const ROUND_INTERVAL: Duration = Duration::from_secs(10);
/// The pause between two readings of the providers' lists.
const LISTING_INTERVAL: Duration = Duration::from_secs(300);
/// The pause after a reading in which some repository could not be looked at.
const PARTIAL_INTERVAL: Duration = Duration::from_secs(60);

/// Runs rounds until shutdown.
pub(crate) async fn run(recovery: Recovery, shutdown: CancellationToken) {
    let rounds = async {
        let mut next_listing = Instant::now();
        loop {
            let listing = if Instant::now() >= next_listing {
                Listing::Read
            } else {
                Listing::Skip
            };
            let round = recovery.round(OffsetDateTime::now_utc(), listing).await;
            match (round, listing) {
                (Ok(RecoveryOutcome::Complete | RecoveryOutcome::NotOurs), Listing::Read) => {
                    next_listing = Instant::now() + LISTING_INTERVAL;
                }
                (Ok(RecoveryOutcome::Partial), Listing::Read) => {
                    next_listing = Instant::now() + PARTIAL_INTERVAL;
                }
                (Ok(_), Listing::Skip) => {}
                (Err(error), _) => {
                    tracing::warn!(%error, "missing deliveries were not looked for");
                }
            }
            tokio::time::sleep(ROUND_INTERVAL).await;
        }
    };
    shutdown.run_until_cancelled(rounds).await;
}
