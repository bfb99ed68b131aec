//! What can be set.
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use crate::Version;

/// Webhooks of one address in a second: far more than a provider sends, little enough to bound one mad client.
const RATE: u32 = 20_000;

/// Sign-ins, refreshes and the like of one address in a minute: an office behind one address needs some, and nobody needs more.
const SIGN_IN_RATE: u32 = 600;

/// Settings of the edge.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Webhooks that one address may send in a second, and at once; 0: as many as it likes.
    pub webhook_rate: u32,
    /// Sign-ins, refreshes, and calls of methods that ask nobody who they are, of one address in a minute, a third of them at once; 0:
    /// as many as it likes.
    pub sign_in_rate: u32,
    /// Where people reach the console; `https` there makes cookies go over TLS alone.
    pub public_url: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed: without them, everybody behind one is one address.
    pub trusted_proxies: Vec<IpNet>,
    /// What `/version` says.
    pub version: Version,
    /// Cancelled when the listener goes soon: it still answers all, and asks clients that keep their connection to open another one next time.
    pub leaving: CancellationToken,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            webhook_rate: RATE,
            sign_in_rate: SIGN_IN_RATE,
            public_url: None,
            trusted_proxies: Vec::new(),
            version: Version::default(),
            leaving: CancellationToken::new(),
        }
    }
}
