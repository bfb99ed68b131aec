//! A role of other processes: all addresses of its names, those that come later too, and which of them takes the next call.
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use ck8s_pki::Certificates;
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Name,
    address::{Address, Place, Tending},
    connect::Dial,
};

/// How often the names are resolved.
const RESOLVE: Duration = Duration::from_secs(2);
/// And at most, when addresses fail.
const RESOLVE_AGAIN: Duration = Duration::from_millis(250);

/// A role of other processes; a clone is the same.
#[derive(Clone)]
pub struct Peer {
    pub(super) role: &'static str,
    pool: Arc<Pool>,
    _tending: Arc<DropGuard>,
}

struct Pool {
    addresses: RwLock<HashMap<SocketAddr, Tended>>,
    changed: watch::Sender<()>,
}

struct Tended {
    address: Arc<Address>,
    _tending: DropGuard,
}

impl Peer {
    /// Begins to look for it; `service` is the one whose health counts. Within a tokio runtime.
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
        let tending = Arc::new(Tending {
            dial: Dial::new(role, certificates.clone()),
            service,
            changed: pool.changed.clone(),
            failed: Arc::new(Notify::new()),
        });
        let stop = CancellationToken::new();
        let resolving = resolve(names, pool.clone(), tending, certificates);
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(resolving).await });
        Self {
            role,
            pool,
            _tending: Arc::new(stop.drop_guard()),
        }
    }

    /// Whether any address serves.
    #[must_use]
    pub fn is_up(&self) -> bool {
        let addresses = self.pool.addresses.read();
        let addresses = addresses.unwrap_or_else(PoisonError::into_inner);
        addresses.values().any(|one| one.address.is_up())
    }

    /// A place for a call, on an address that was not tried before if there is one; waits for one until then.
    pub(super) async fn place(&self, tried: &[SocketAddr], until: Instant) -> Option<Place> {
        let mut changed = self.pool.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(place) = self.pool.place(tried) {
                return Some(place);
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
    /// Of two that serve, taken at random, the one with fewer calls under way.
    fn place(&self, tried: &[SocketAddr]) -> Option<Place> {
        let up: Vec<Arc<Address>> = {
            let addresses = self
                .addresses
                .read()
                .unwrap_or_else(PoisonError::into_inner);
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
        chosen.place()
    }
}

/// Keeps the addresses to what the names say, for ever. A resolver that fails or says nothing changes nothing: health decides.
async fn resolve(
    names: Vec<Name>,
    pool: Arc<Pool>,
    tending: Arc<Tending>,
    certificates: Certificates,
) {
    loop {
        let mut found = HashSet::new();
        let mut whole = true;
        for name in &names {
            match name.resolve().await {
                Ok(addresses) => found.extend(addresses),
                Err(error) => {
                    whole = false;
                    tracing::debug!(%name, %error, "a name has no address");
                }
            }
        }
        {
            let mut addresses = pool
                .addresses
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if whole && !found.is_empty() {
                addresses.retain(|at, _| found.contains(at));
            }
            for at in found {
                let fresh = || tend(at, tending.clone(), &certificates);
                addresses.entry(at).or_insert_with(fresh);
            }
        }
        let _ = tokio::time::timeout(RESOLVE, tending.failed.notified()).await;
        tokio::time::sleep(RESOLVE_AGAIN).await;
    }
}

fn tend(at: SocketAddr, tending: Arc<Tending>, certificates: &Certificates) -> Tended {
    let address = Address::new(at);
    let stop = CancellationToken::new();
    let (tended, stopped, changes) = (address.clone(), stop.clone(), certificates.changes());
    tokio::spawn(async move {
        stopped
            .run_until_cancelled(tended.tend(&tending, changes))
            .await;
    });
    Tended {
        address,
        _tending: stop.drop_guard(),
    }
}
