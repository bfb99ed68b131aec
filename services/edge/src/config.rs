//! What can be set.
use tokio_util::sync::CancellationToken;

use crate::Version;

/// Webhooks of one address in a second: far more than a provider sends, little enough to bound one mad client.
const RATE: u32 = 20_000;

/// Settings of the edge.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// Webhooks that one address may send in a second, and at once; 0: as many as it likes.
    pub webhook_rate: u32,
    /// What `/version` says.
    pub version: Version,
    /// Cancelled when the listener goes soon: it still answers all, and asks clients that keep their connection to open another one next time.
    pub leaving: CancellationToken,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            webhook_rate: RATE,
            version: Version::default(),
            leaving: CancellationToken::new(),
        }
    }
}
