//! Fires schedules: on start, when one is due, and every half minute, so that new ones are seen. One replica at a time.
use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::service::fire_schedules::Schedules;

/// The pause after which schedules are read again: what is new is seen that late.
const READ_INTERVAL: Duration = Duration::from_secs(30);
/// The shortest pause: many schedules are due one after the other.
const MIN_PAUSE: Duration = Duration::from_secs(2);

/// Fires what is due until shutdown.
pub(crate) async fn run(schedules: Schedules, shutdown: CancellationToken) {
    let firing = async {
        loop {
            let next = schedules.fire(OffsetDateTime::now_utc()).await;
            let next = next.unwrap_or_else(|error| {
                tracing::warn!(%error, "schedules are looked at later");
                None
            });
            tokio::time::sleep(pause(next, OffsetDateTime::now_utc())).await;
        }
    };
    shutdown.run_until_cancelled(firing).await;
}

fn pause(next: Option<OffsetDateTime>, now: OffsetDateTime) -> Duration {
    let pause = next.and_then(|next| Duration::try_from(next - now).ok());
    match next {
        Some(_) => pause.unwrap_or_default().clamp(MIN_PAUSE, READ_INTERVAL),
        None => READ_INTERVAL,
    }
}
