//! One address of a role: a connection that is kept up, and whether the role there says that it serves.
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};
use tonic::{Status, transport::Channel};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::connect::Dial;

/// The first pause after a connection that failed; each next is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One address.
pub(super) struct Address {
    pub at: SocketAddr,
    /// There is one while the role there serves.
    channel: Mutex<Option<Channel>>,
    calls: AtomicUsize,
}

/// A place for one call; counted until it is dropped.
pub(super) struct Place {
    address: Arc<Address>,
    pub channel: Channel,
}

impl Place {
    pub fn at(&self) -> SocketAddr {
        self.address.at
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.address.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the addresses of one role share.
pub(super) struct Tending {
    pub dial: Dial,
    /// The service whose health counts.
    pub service: &'static str,
    /// Tells those who wait that an address came up or went down.
    pub changed: watch::Sender<()>,
    /// Wakes the resolver: an address failed.
    pub failed: Arc<Notify>,
}

impl Address {
    pub fn new(at: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            at,
            channel: Mutex::default(),
            calls: AtomicUsize::new(0),
        })
    }

    pub fn is_up(&self) -> bool {
        self.channel().is_some()
    }

    /// How many calls are under way here.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// A place, if the role here serves.
    pub fn place(self: &Arc<Self>) -> Option<Place> {
        let channel = self.channel()?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        Some(Place {
            address: self.clone(),
            channel,
        })
    }

    fn channel(&self) -> Option<Channel> {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        channel.clone()
    }

    /// Sets the channel; whether it went up or down by that.
    fn set(&self, channel: Option<Channel>) -> bool {
        let mut current = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = current.is_some() != channel.is_some();
        *current = channel;
        changed
    }

    /// Keeps the address up for ever.
    pub async fn tend(&self, with: &Tending, certificates: watch::Receiver<impl Sized>) {
        let mut certificates = certificates;
        let mut pause = FIRST_PAUSE;
        loop {
            certificates.mark_unchanged();
            let ended = tokio::select! {
                ended = self.follow(with, &mut pause) => ended,
                // Another certificate: the next connection shows it. Until it stands, calls go over the one before.
                changed = certificates.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            if self.set(None) {
                with.changed.send_replace(());
                tracing::info!(address = %self.at, service = with.service, reason = %ended, "a peer is gone");
            } else {
                tracing::debug!(address = %self.at, service = with.service, reason = %ended, "a peer cannot be reached");
            }
            with.failed.notify_one();
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One connection, as long as the role behind it serves; why no longer.
    async fn follow(&self, with: &Tending, pause: &mut Duration) -> String {
        let channel = match with.dial.channel(self.at).await {
            Ok(channel) => channel,
            Err(error) => return deepest(&error),
        };
        let request = HealthCheckRequest {
            service: with.service.to_owned(),
        };
        let mut health = HealthClient::new(channel.clone());
        let mut states = match health.watch(request).await {
            Ok(states) => states.into_inner(),
            Err(status) => return words(&status),
        };
        loop {
            match states.message().await {
                Ok(Some(state)) if state.status() == ServingStatus::Serving => {
                    *pause = FIRST_PAUSE;
                    if self.set(Some(channel.clone())) {
                        with.changed.send_replace(());
                        tracing::info!(address = %self.at, service = with.service, "a peer serves");
                    }
                }
                // It goes: our connection must not hold it up.
                Ok(Some(_)) => return "it does not serve".to_owned(),
                Ok(None) => return "it ended the connection".to_owned(),
                Err(status) => return words(&status),
            }
        }
    }
}

fn words(status: &Status) -> String {
    let cause = std::error::Error::source(status).map(deepest);
    cause.unwrap_or_else(|| status.message().to_owned())
}

/// The innermost cause says most.
fn deepest(mut error: &(dyn std::error::Error + 'static)) -> String {
    while let Some(inner) = error.source() {
        error = inner;
    }
    error.to_string()
}
