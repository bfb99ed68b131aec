//! One address of a role: a connection that is kept open, and whether the role there says that it serves.
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tonic::{Status, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::connect::Dial;

/// The pause after the first connection that failed; each next one is twice as long.
const MIN_RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Bounds the pause: a role that comes back is found within two seconds.
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(2);

/// One address.
pub(super) struct Address {
    pub(super) at: SocketAddr,
    /// There is one while the role there serves.
    channel: Mutex<Option<Channel>>,
    calls: AtomicUsize,
}

/// The permit for one call; it counts until it is dropped.
pub(super) struct Permit {
    address: Arc<Address>,
    pub(super) channel: Channel,
}

impl Permit {
    pub(super) fn address(&self) -> SocketAddr {
        self.address.at
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.address.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the addresses of one role share.
pub(super) struct Shared {
    pub(super) dial: Dial,
    /// The service whose health counts.
    pub(super) service: &'static str,
    /// Tells waiting calls that an address came up or went down.
    pub(super) changed: watch::Sender<()>,
    /// Wakes the resolver: an address failed.
    pub(super) failed: Arc<Notify>,
}

impl Address {
    pub(super) fn new(at: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            at,
            channel: Mutex::default(),
            calls: AtomicUsize::new(0),
        })
    }

    pub(super) fn is_up(&self) -> bool {
        self.channel().is_some()
    }

    /// How many calls are under way here.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// A permit, if the role here serves.
    pub(super) fn permit(self: &Arc<Self>) -> Option<Permit> {
        let channel = self.channel()?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        Some(Permit {
            address: self.clone(),
            channel,
        })
    }

    fn channel(&self) -> Option<Channel> {
        self.channel.lock().clone()
    }

    /// Sets the channel. Returns whether the address went up or down by that.
    fn set(&self, channel: Option<Channel>) -> bool {
        let mut current = self.channel.lock();
        let changed = current.is_some() != channel.is_some();
        *current = channel;
        changed
    }

    /// Keeps a connection open; never returns by itself.
    pub(super) async fn keep_open(
        &self,
        shared: &Shared,
        certificates: watch::Receiver<impl Sized>,
    ) {
        let mut certificates = certificates;
        let mut pause = MIN_RETRY_PAUSE;
        loop {
            certificates.mark_unchanged();
            let ended = tokio::select! {
                ended = self.follow(shared, &mut pause) => ended,
                // The next connection shows the new certificate. Until it is open, calls go over the one before.
                changed = certificates.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            if self.set(None) {
                shared.changed.send_replace(());
                tracing::info!(address = %self.at, service = shared.service, reason = %ended, "a peer is gone");
            } else {
                tracing::debug!(address = %self.at, service = shared.service, reason = %ended, "a peer cannot be reached");
            }
            shared.failed.notify_one();
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(MAX_RETRY_PAUSE);
        }
    }

    /// Keeps one connection as long as the role behind it serves. Returns why it ended.
    async fn follow(&self, shared: &Shared, pause: &mut Duration) -> String {
        let channel = match shared.dial.channel(self.at).await {
            Ok(channel) => channel,
            Err(error) => return innermost(&error),
        };
        let request = HealthCheckRequest {
            service: shared.service.to_owned(),
        };
        let mut health = HealthClient::new(channel.clone());
        let mut states = match health.watch(request).await {
            Ok(states) => states.into_inner(),
            Err(status) => return reason(&status),
        };
        loop {
            match states.message().await {
                Ok(Some(state)) if state.status() == ServingStatus::Serving => {
                    *pause = MIN_RETRY_PAUSE;
                    if self.set(Some(channel.clone())) {
                        shared.changed.send_replace(());
                        tracing::info!(address = %self.at, service = shared.service, "a peer serves");
                    }
                }
                // It stops: our connection must not delay that.
                Ok(Some(_)) => return "it does not serve".to_owned(),
                Ok(None) => return "it ended the connection".to_owned(),
                Err(status) => return reason(&status),
            }
        }
    }
}

fn reason(status: &Status) -> String {
    let cause = std::error::Error::source(status).map(innermost);
    cause.unwrap_or_else(|| status.message().to_owned())
}

/// Returns the innermost cause: it says most.
fn innermost(mut error: &(dyn std::error::Error + 'static)) -> String {
    while let Some(inner) = error.source() {
        error = inner;
    }
    error.to_string()
}
