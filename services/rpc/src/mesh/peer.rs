//! A role of other processes: the addresses of its names as they come and go, and which of them takes the next call.
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use ck8s_pki::Certificates;
use parking_lot::RwLock;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Name,
    address::{Address, Permit, Shared},
    connect::Dial,
};

/// How often the names are resolved.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(2);
/// Bounds how often they are resolved when addresses fail.
const MIN_RESOLVE_INTERVAL: Duration = Duration::from_millis(250);

/// A role of other processes; a clone is the same.
#[derive(Clone)]
pub struct Peer {
    pub(super) role: &'static str,
    pool: Arc<Pool>,
    _upkeep: Arc<DropGuard>,
}

struct Pool {
    addresses: RwLock<HashMap<SocketAddr, OpenAddress>>,
    changed: watch::Sender<()>,
}

/// An address that is kept open until this is dropped.
struct OpenAddress {
    address: Arc<Address>,
    _upkeep: DropGuard,
}

impl Peer {
    /// Begins to look for the role, within a tokio runtime. `service` is the service whose health counts.
    #[must_use]
    pub fn start(
        role: &'static str,
        service: &'static str,
        names: Vec<Name>,
        certificates: Certificates,
    ) -> Self {
        let pool = Arc::new(Pool {
            addresses: RwLock::default(),
            changed: watch::channel(()).0,
        });
        let shared = Arc::new(Shared {
            dial: Dial::new(role, certificates.clone()),
            service,
            changed: pool.changed.clone(),
            failed: Arc::new(Notify::new()),
        });
        let stop = CancellationToken::new();
        let resolving = resolve(names, pool.clone(), shared, certificates);
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(resolving).await });
        Self {
            role,
            pool,
            _upkeep: Arc::new(stop.drop_guard()),
        }
    }

    /// Whether any address serves.
    #[must_use]
    pub fn is_up(&self) -> bool {
        let addresses = self.pool.addresses.read();
        addresses.values().any(|one| one.address.is_up())
    }

    /// A permit for a call, on an address that was not tried before if there is one. Waits for an address that serves
    /// until then.
    pub(super) async fn acquire(&self, tried: &[SocketAddr], until: Instant) -> Option<Permit> {
        let mut changed = self.pool.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(permit) = self.pool.permit(tried) {
                return Some(permit);
            }
            if tokio::time::timeout_at(until, changed.changed())
                .await
                .is_err()
            {
                return None;
            }
        }
    }
}

impl Pool {
    /// Takes two addresses that serve at random, and of these the one with fewer calls under way.
    fn permit(&self, tried: &[SocketAddr]) -> Option<Permit> {
        let up: Vec<Arc<Address>> = {
            let addresses = self.addresses.read();
            let up = addresses.values().map(|one| &one.address);
            up.filter(|address| address.is_up()).cloned().collect()
        };
        let fresh: Vec<&Arc<Address>> = up.iter().filter(|a| !tried.contains(&a.at)).collect();
        let from = if fresh.is_empty() {
            up.iter().collect()
        } else {
            fresh
        };
        let any = || from.get(rand::random_range(0..from.len().max(1)));
        let (one, other) = (any()?, any()?);
        let chosen = if one.calls() <= other.calls() {
            one
        } else {
            other
        };
        chosen.permit()
    }
}

/// Keeps the addresses to what the names say; never returns. A resolver that fails or says nothing changes nothing:
/// health decides.
async fn resolve(
    names: Vec<Name>,
    pool: Arc<Pool>,
    shared: Arc<Shared>,
    certificates: Certificates,
) {
    loop {
        let mut resolved = HashSet::new();
        let mut is_complete = true;
        for name in &names {
            match name.resolve().await {
                Ok(addresses) => resolved.extend(addresses),
                Err(error) => {
                    is_complete = false;
                    tracing::debug!(%name, %error, "a name has no address");
                }
            }
        }
        {
            let mut addresses = pool.addresses.write();
            if is_complete && !resolved.is_empty() {
                addresses.retain(|at, _| resolved.contains(at));
            }
            for at in resolved {
                let open = || open(at, shared.clone(), &certificates);
                addresses.entry(at).or_insert_with(open);
            }
        }
        let _ = tokio::time::timeout(RESOLVE_INTERVAL, shared.failed.notified()).await;
        tokio::time::sleep(MIN_RESOLVE_INTERVAL).await;
    }
}

fn open(at: SocketAddr, shared: Arc<Shared>, certificates: &Certificates) -> OpenAddress {
    let address = Address::new(at);
    let stop = CancellationToken::new();
    let (kept, stopped, changes) = (address.clone(), stop.clone(), certificates.changes());
    tokio::spawn(async move {
        stopped
            .run_until_cancelled(kept.keep_open(&shared, changes))
            .await;
    });
    OpenAddress {
        address,
        _upkeep: stop.drop_guard(),
    }
}
