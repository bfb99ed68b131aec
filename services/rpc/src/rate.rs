//! How often somebody may do something: a token bucket for each key, in bounded memory. Each process counts for itself.
use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Keys that are remembered; 64 bytes or so each.
const MOST: usize = 65_536;

/// The buckets, by address, session, or whatever else names who asks.
#[derive(Debug)]
pub struct Rate<K> {
    /// None: no limit.
    limit: Option<Limit>,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    per_second: f64,
    /// What a full bucket holds.
    burst: f64,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn filled(self, limit: Limit, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + since * limit.per_second).min(limit.burst)
    }
}

impl<K: Hash + Eq> Rate<K> {
    /// So many in a second, and at once; 0: no limit.
    #[must_use]
    pub fn per_second(count: u32) -> Self {
        let count = f64::from(count);
        Self::new(count, count)
    }

    /// So many in a minute, a third of them at once; 0: no limit.
    #[must_use]
    pub fn per_minute(count: u32) -> Self {
        Self::new(f64::from(count) / 60.0, (f64::from(count) / 3.0).max(1.0))
    }

    fn new(per_second: f64, burst: f64) -> Self {
        let limit = Limit { per_second, burst };
        Self {
            limit: (per_second > 0.0).then_some(limit),
            buckets: Mutex::default(),
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// None is left: how long until there is one.
    pub fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let Some(limit) = self.limit else {
            return Ok(());
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| bucket.filled(limit, now) < limit.burst);
            if buckets.len() >= MOST {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            tokens: limit.burst,
            at: now,
        });
        let tokens = bucket.filled(limit, now);
        let allowed = tokens >= 1.0;
        *bucket = Bucket {
            tokens: if allowed { tokens - 1.0 } else { tokens },
            at: now,
        };
        if allowed {
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - tokens) / limit.per_second))
    }
}

/// Whom an address stands for: who has one IPv6 address has 2^64 of them.
#[must_use]
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            Ipv6Addr::from(octets).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A wait in whole seconds, for a `Retry-After`: at least one.
#[must_use]
pub fn whole_seconds(wait: Duration) -> u32 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        subscriber(text.parse().expect("an address"))
    }

    #[test]
    fn each_address_has_its_bucket_and_it_fills_again() {
        let (rate, start) = (Rate::per_second(2), Instant::now());
        let asked = |address, after: u64| {
            let at = start + Duration::from_millis(after);
            rate.take(ip(address), at).is_ok()
        };
        assert!(asked("192.0.2.1", 0) && asked("192.0.2.1", 0) && !asked("192.0.2.1", 0));
        assert!(asked("192.0.2.2", 0) && asked("::ffff:192.0.2.2", 0) && !asked("192.0.2.2", 0));
        assert!(!asked("192.0.2.1", 400) && asked("192.0.2.1", 500) && !asked("192.0.2.1", 600));
        assert!(asked("2001:db8::1", 0) && asked("2001:db8::2", 0) && !asked("2001:db8::3", 0));
        assert!(asked("2001:db8:0:1::1", 0));
    }

    #[test]
    fn who_is_refused_learns_when_to_come_back() {
        let (rate, start) = (Rate::per_minute(3), Instant::now());
        assert_eq!(rate.take("a", start), Ok(()));
        let wait = rate.take("a", start).expect_err("one at once");
        assert_eq!(whole_seconds(wait), 20);
        let soon = start + wait - Duration::from_millis(1);
        assert!(rate.take("a", soon).is_err());
        assert_eq!(rate.take("a", start + wait), Ok(()));
        assert_eq!(whole_seconds(Duration::ZERO), 1);
    }

    #[test]
    fn zero_is_no_limit() {
        let (rate, now) = (Rate::per_minute(0), Instant::now());
        assert!((0..1_000).all(|_| rate.take((), now).is_ok()));
    }

    #[test]
    fn memory_is_bounded() {
        let (rate, now) = (Rate::per_second(5), Instant::now());
        for n in 0..200_000_u32 {
            let _ = rate.take(n, now);
        }
        assert!(rate.buckets.lock().expect("not poisoned").len() <= MOST);
    }
}
