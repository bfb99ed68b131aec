//! How many webhooks an address may send: a token bucket each, in bounded memory.
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Addresses that are remembered; 64 bytes or so each.
const MOST: usize = 65_536;

/// The buckets.
#[derive(Debug)]
pub(crate) struct Rate {
    /// Per second; also what a full bucket holds. None: no limit.
    limit: Option<f64>,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn filled(self, limit: f64, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + since * limit).min(limit)
    }
}

impl Rate {
    /// So many per second and address; 0: no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        let limit = (per_second > 0).then(|| f64::from(per_second));
        Self {
            limit,
            buckets: Mutex::default(),
        }
    }

    /// Whether one more may come from there now.
    pub(crate) fn allows(&self, address: IpAddr, now: Instant) -> bool {
        let Some(limit) = self.limit else {
            return true;
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let key = subscriber(address);
        if buckets.len() >= MOST && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| bucket.filled(limit, now) < limit);
            if buckets.len() >= MOST {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            tokens: limit,
            at: now,
        });
        let tokens = bucket.filled(limit, now);
        let allowed = tokens >= 1.0;
        *bucket = Bucket {
            tokens: if allowed { tokens - 1.0 } else { tokens },
            at: now,
        };
        allowed
    }
}

/// Who has one IPv6 address has 2^64 of them.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            Ipv6Addr::from(octets).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_address_has_its_bucket_and_it_fills_again() {
        let (rate, start) = (Rate::new(2), Instant::now());
        let asked =
            |address, after: u64| rate.allows(ip(address), start + Duration::from_millis(after));
        assert!(asked("192.0.2.1", 0) && asked("192.0.2.1", 0) && !asked("192.0.2.1", 0));
        assert!(asked("192.0.2.2", 0) && asked("::ffff:192.0.2.2", 0) && !asked("192.0.2.2", 0));
        assert!(!asked("192.0.2.1", 400) && asked("192.0.2.1", 500) && !asked("192.0.2.1", 600));
        assert!(asked("2001:db8::1", 0) && asked("2001:db8::2", 0) && !asked("2001:db8::3", 0));
        assert!(asked("2001:db8:0:1::1", 0));
    }

    #[test]
    fn zero_is_no_limit() {
        let rate = Rate::new(0);
        assert!((0..1_000).all(|_| rate.allows(ip("192.0.2.1"), Instant::now())));
    }

    #[test]
    fn memory_is_bounded() {
        let (rate, now) = (Rate::new(5), Instant::now());
        for n in 0..200_000_u32 {
            rate.allows(IpAddr::from(n.to_be_bytes()), now);
        }
        assert!(rate.buckets.lock().expect("not poisoned").len() <= MOST);
    }
}
