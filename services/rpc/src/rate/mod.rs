//! Rate limits: how often somebody may do something, for each key, in bounded memory. Each process counts for itself.
mod subscriber;

use std::{hash::Hash, num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use parking_lot::RwLock;

pub use subscriber::subscriber;

/// Bounds the keys that are remembered: about 64 bytes each, so 4 MB in all.
const MAX_KEYS: usize = 65_536;

type Limiter<K, C> =
    RateLimiter<K, DefaultKeyedStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A limit for each key: an address, a session, or whatever else names who asks.
#[derive(Debug)]
pub struct Rate<K: Hash + Eq + Clone, C: Clock + Clone = DefaultClock> {
    /// None: no limit.
    quota: Option<Quota>,
    clock: C,
    limiter: RwLock<Limiter<K, C>>,
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// Allows this many in a second, and as many at once; 0: no limit.
    #[must_use]
    pub fn per_second(count: u32) -> Self {
        Self::new(per_second(count), DefaultClock::default())
    }

    /// Allows this many in a minute, a third of them at once; 0: no limit.
    #[must_use]
    pub fn per_minute(count: u32) -> Self {
        Self::new(per_minute(count), DefaultClock::default())
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Rate<K, C> {
    fn new(quota: Option<Quota>, clock: C) -> Self {
        Self {
            quota,
            limiter: RwLock::new(limiter(quota, &clock)),
            clock,
        }
    }

    /// Counts one more for this key.
    ///
    /// # Errors
    /// The limit is reached: returns how long until there is room for one. Nothing is counted then.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers make the key for this call alone"
    )]
    pub fn check(&self, key: K) -> Result<(), Duration> {
        if self.quota.is_none() {
            return Ok(());
        }
        if self.limiter.read().len() >= MAX_KEYS {
            self.make_room();
        }
        self.limiter
            .read()
            .check_key(&key)
            .map_err(|refusal| refusal.wait_time_from(self.clock.now()))
    }

    /// Forgets the keys that are within their limits; where none is, all of them.
    fn make_room(&self) {
        let mut limiter = self.limiter.write();
        limiter.retain_recent();
        if limiter.len() >= MAX_KEYS {
            *limiter = crate::rate::limiter(self.quota, &self.clock);
        }
    }
}

fn limiter<K: Hash + Eq + Clone, C: Clock + Clone>(
    quota: Option<Quota>,
    clock: &C,
) -> Limiter<K, C> {
    // Without a quota it is not asked.
    let quota = quota.unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone())
}

fn per_second(count: u32) -> Option<Quota> {
    NonZeroU32::new(count).map(Quota::per_second)
}

fn per_minute(count: u32) -> Option<Quota> {
    let count = NonZeroU32::new(count)?;
    let burst = NonZeroU32::new(count.get() / 3).unwrap_or(NonZeroU32::MIN);
    Some(Quota::per_minute(count).allow_burst(burst))
}

/// A wait in whole seconds, for a `Retry-After`: at least one.
#[must_use]
pub fn whole_seconds(wait: Duration) -> u32 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
