//! The settings of the edge.
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use crate::version::Version;

/// The webhooks of one address per second: far more than a provider sends, and few enough to bound one broken client.
const DEFAULT_WEBHOOK_RATE: u32 = 20_000;

/// The sign-ins and refreshes of one address per minute: an office behind one address needs some, and nobody needs
/// more.
const DEFAULT_SIGN_IN_RATE: u32 = 600;

/// The memory of a process of which nothing is said.
const DEFAULT_MEMORY_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// The connections at once of a process of which nothing is said.
const DEFAULT_MAX_CONNECTIONS: usize = 10_000;

/// The settings of the edge.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// How many webhooks one address may send per second, and at once; 0: no limit.
    pub webhook_rate: u32,
    /// How many sign-ins, refreshes and calls without a token one address may make per minute, a third of them at once;
    /// 0: no limit. Calls with unknown tokens have the same limit in the guard.
    pub sign_in_rate: u32,
    /// The address at which people reach the console. If it is `https`, cookies go over TLS alone.
    pub public_url: Option<String>,
    /// The proxies whose `X-Forwarded-For` is believed. Everybody behind another proxy counts as one address.
    pub trusted_proxies: Vec<IpNet>,
    /// The memory that the process may count on: the budgets of bodies and heads are parts of it.
    pub memory_bytes: u64,
    /// How many connections there may be at once, an eighth of them from one address that is no trusted proxy.
    pub max_connections: usize,
    /// The build that `/version` shows.
    pub version: Version,
    /// Cancelled shortly before the shutdown: the listener still answers everybody, and asks clients that keep their
    /// connection to open another one next time.
    pub draining: CancellationToken,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            webhook_rate: DEFAULT_WEBHOOK_RATE,
            sign_in_rate: DEFAULT_SIGN_IN_RATE,
            public_url: None,
            trusted_proxies: Vec::new(),
            memory_bytes: DEFAULT_MEMORY_BYTES,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            version: Version::default(),
            draining: CancellationToken::new(),
        }
    }
}
