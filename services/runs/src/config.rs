//! The settings of the service, with defaults that suit one machine as well as many.
use std::time::Duration;

/// Settings of the runs service.
#[derive(Clone, Debug)]
pub struct RunsConfig {
    /// How long a lease lives without a heartbeat.
    pub lease_ttl: Duration,
    /// How often a worker sends a heartbeat; well below the lease's life.
    pub heartbeat_interval: Duration,
    /// The number of slots of a project for which nobody set it.
    pub default_slots: i32,
    /// The largest log of one attempt, in bytes. The service drops what comes after and says so in the log.
    pub log_cap_bytes: i64,
    /// How long an orphaned lease waits for a worker that takes its workload over, before its run has failed.
    pub takeover_timeout: Duration,
    /// The key that signs the runs' own tokens.
    pub run_token_key: RunTokenKey,
}

/// A key that is never printed.
#[derive(Clone)]
pub struct RunTokenKey(pub [u8; 32]);

impl std::fmt::Debug for RunTokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunTokenKey(..)")
    }
}

impl RunsConfig {
    /// The defaults, with this key. All replicas need the same key.
    #[must_use]
    pub fn new(run_token_key: [u8; 32]) -> Self {
        Self {
            lease_ttl: Duration::from_secs(15),
            heartbeat_interval: Duration::from_secs(4),
            default_slots: 4,
            log_cap_bytes: 32 * 1024 * 1024,
            takeover_timeout: Duration::from_secs(120),
            run_token_key: RunTokenKey(run_token_key),
        }
    }
}
