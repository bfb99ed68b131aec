//! Moments on a clock that goes on while the machine sleeps: leases end whether or not anybody is awake to see it.
use std::{
    ops::{Add, Sub},
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

/// The clock. `Instant` reads CLOCK_MONOTONIC, which Linux stops in suspend; elsewhere it goes on.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

/// A moment: the time since this machine was started, sleep included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Moment(Duration);

impl Moment {
    /// Now. Without a clock it is the end of all time, so that every lease counts as ended.
    #[must_use]
    pub fn now() -> Self {
        clock_gettime(CLOCK).map_or(Self(Duration::MAX), |now| Self(now.into()))
    }

    /// Returns the time since another moment; zero if that one is later.
    #[must_use]
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the time since then.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now() - self
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}

impl Sub for Moment {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock that counts the time in suspend: the first number of `/proc/uptime`.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_moment_counts_the_time_in_suspend() {
        let uptime = || {
            let text = std::fs::read_to_string("/proc/uptime").unwrap();
            let seconds = text.split(' ').next().unwrap();
            Duration::from_secs_f64(seconds.parse().unwrap())
        };
        let hundredth = Duration::from_millis(10);
        let (before, now, after) = (uptime(), Moment::now(), uptime());
        assert!(before <= now.0 + hundredth && now.0 <= after + hundredth);
    }

    #[test]
    fn moments_have_an_order_and_no_overflow() {
        let now = Moment::now();
        assert!(now + Duration::from_secs(1) > now);
        assert_eq!(now - (now + Duration::from_secs(1)), Duration::ZERO);
        assert_eq!((now + Duration::MAX).0, Duration::MAX);
    }
}
