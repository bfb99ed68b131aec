//! What tokens may cost that were nobody's so far: who sends them is counted by address, and few are looked up at once.
//! Tokens that were somebody's lately are in nobody's way.
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use moka::sync::Cache;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::rate::{Rate, subscriber};

/// The SHA-256 of a token: nothing here holds tokens.
pub(super) type TokenHash = [u8; 32];

/// How many unknown tokens one address may send in a minute, a third of them at once: scripts with an old token try a
/// few times.
pub(super) const DEFAULT_FAILURE_RATE: u32 = 600;
/// How long a token is remembered after its last use: workers and people come back within this.
const PROVEN_TTL: Duration = Duration::from_secs(3600);
/// Bounds the tokens that are remembered, 32 bytes each.
const MAX_PROVEN_TOKENS: u64 = 100_000;
/// Bounds the tokens that are remembered as nobody's.
const MAX_UNKNOWN_TOKENS: u64 = 1_000;
/// Bounds the addresses that are remembered as refused.
const MAX_REFUSED_ADDRESSES: u64 = 65_536;
/// Bounds the unproven tokens that are looked up at once: far fewer than the connections that auth and runs have to the
/// database.
const MAX_LOOKUPS: usize = 4;
/// Bounds how long an unproven token waits to be looked up.
const LOOKUP_WAIT_TIMEOUT: Duration = Duration::from_secs(2);

/// What is known about tokens, and who sent those that are nobody's.
pub(super) struct UnprovenTokens {
    proven: Cache<TokenHash, ()>,
    unknown: Cache<TokenHash, ()>,
    failures: Rate<IpAddr>,
    /// When an address that has sent too many may come back.
    refused: Cache<IpAddr, Instant>,
    lookups: Semaphore,
}

impl UnprovenTokens {
    /// `failure_rate` bounds the unknown tokens of one address in a minute; 0: no limit. `unknown_ttl` is how long a
    /// token is remembered as nobody's.
    pub(super) fn new(failure_rate: u32, unknown_ttl: Duration) -> Self {
        Self {
            proven: Cache::builder()
                .max_capacity(MAX_PROVEN_TOKENS)
                .time_to_idle(PROVEN_TTL)
                .build(),
            unknown: Cache::builder()
                .max_capacity(MAX_UNKNOWN_TOKENS)
                .time_to_live(unknown_ttl)
                .build(),
            failures: Rate::per_minute(failure_rate),
            refused: Cache::builder()
                .max_capacity(MAX_REFUSED_ADDRESSES)
                .time_to_live(Duration::from_secs(60))
                .build(),
            lookups: Semaphore::new(MAX_LOOKUPS),
        }
    }

    /// Whether the token was somebody's when it was last looked up.
    pub(super) fn is_proven(&self, hash: &TokenHash) -> bool {
        self.proven.contains_key(hash)
    }

    /// Whether the token was nobody's just now.
    pub(super) fn is_unknown(&self, hash: &TokenHash) -> bool {
        self.unknown.contains_key(hash)
    }

    /// The token is somebody's.
    pub(super) fn prove(&self, hash: TokenHash) {
        // Reading it keeps it.
        if self.proven.get(&hash).is_none() {
            self.proven.insert(hash, ());
        }
    }

    /// The token is nobody's.
    pub(super) fn refute(&self, hash: TokenHash) {
        self.proven.invalidate(&hash);
        self.unknown.insert(hash, ());
    }

    /// Counts an unknown token that came from there.
    pub(super) fn count(&self, from: Option<IpAddr>) {
        let Some(from) = from.map(subscriber) else {
            return;
        };
        if let Err(wait) = self.failures.check(from) {
            self.refused.insert(from, Instant::now() + wait);
        }
    }

    /// Returns how long nobody there may send an unproven token.
    pub(super) fn wait(&self, from: Option<IpAddr>) -> Option<Duration> {
        let until = self.refused.get(&subscriber(from?))?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Returns a place to look up an unproven token. None: too many wait.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        let place = tokio::time::timeout(LOOKUP_WAIT_TIMEOUT, self.lookups.acquire()).await;
        place.ok()?.ok()
    }
}
