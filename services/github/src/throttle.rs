//! The throttle of writes: one at a time for each credential, a burst without pauses, then one for each interval.
//! GitHub asks its clients for this; its own limits, which its responses tell, are in `rate_limit.rs`.
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::config::GitHubConfig;

/// The throttle of one credential. Whoever holds the lock writes.
#[derive(Default)]
pub(crate) struct WriteThrottle(Mutex<Schedule>);

/// When the writes so far would have ended, had each taken its interval.
#[derive(Clone, Copy, Default)]
struct Schedule {
    busy_until: Option<Instant>,
}

impl Schedule {
    /// Returns how long the next write has to wait, and the schedule with it.
    fn next(self, now: Instant, config: &GitHubConfig) -> (Duration, Self) {
        let allowed_lead = config.write_interval * config.write_burst.saturating_sub(1);
        let busy_until = self.busy_until.map_or(now, |at| at.max(now));
        let wait = busy_until.duration_since(now).saturating_sub(allowed_lead);
        let busy_until = Some(busy_until + config.write_interval);
        (wait, Self { busy_until })
    }
}

impl WriteThrottle {
    /// Waits for the credential's turn and writes.
    pub(crate) async fn write<T>(
        &self,
        config: &GitHubConfig,
        write: impl Future<Output = T>,
    ) -> T {
        let mut schedule = self.0.lock().await;
        let (wait, next) = schedule.next(Instant::now(), config);
        if wait > Duration::ZERO {
            tokio::time::sleep(wait).await;
        }
        *schedule = next;
        write.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes so often, as fast as the throttle lets, and returns how long that took.
    fn write(schedule: &mut Schedule, now: &mut Instant, times: u32) -> Duration {
        let start = *now;
        for _ in 0..times {
            let (wait, next) = schedule.next(*now, &GitHubConfig::default());
            *now += wait;
            *schedule = next;
        }
        now.duration_since(start)
    }

    #[test]
    fn a_burst_of_writes_passes_at_once_and_further_ones_at_the_interval() {
        let config = GitHubConfig::default();
        let (mut schedule, mut now) = (Schedule::default(), Instant::now());
        let burst = write(&mut schedule, &mut now, config.write_burst);
        assert_eq!(burst, Duration::ZERO);
        let further = write(&mut schedule, &mut now, 5);
        assert_eq!(further, config.write_interval * 5);
        now += config.write_interval * 60;
        let after_a_rest = write(&mut schedule, &mut now, config.write_burst + 1);
        assert_eq!(after_a_rest, config.write_interval);
    }
}
