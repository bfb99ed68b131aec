//! Listens to notifications of other replicas and services: pings that came, runs and repositories that changed.
use std::{sync::Arc, time::Duration};

use ck8s_db::{
    listen::{Listener, Wake},
    notify_channels,
};
use secrecy::ExposeSecret;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::service::Provider;

/// How long it waits before it tries again to connect.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(15);

pub(crate) async fn notifications(provider: Arc<Provider>, shutdown: CancellationToken) {
    tokio::select! {
        () = listen(&provider) => {}
        () = shutdown.cancelled() => {}
    }
}

async fn listen(provider: &Provider) {
    let mut listener = connect(provider).await;
    loop {
        match listener.next().await {
            Wake::Notified { channel, payload } if channel == notify_channels::HOOKS => {
                if let Ok(repository) = payload.parse() {
                    // Perhaps nobody waits for it.
                    let _ = provider.pings.send(repository);
                }
            }
            Wake::Notified { channel, .. } if channel == notify_channels::REPOSITORIES => {
                provider.repositories_changed.notify_one();
            }
            Wake::Notified { .. } => provider.runs_changed.notify_one(),
            Wake::Reconnected => {
                provider.runs_changed.notify_one();
                provider.repositories_changed.notify_one();
            }
        }
    }
}

async fn connect(provider: &Provider) -> Listener {
    let url = provider.database_url.expose_secret();
    let channels = [
        notify_channels::RUNS,
        notify_channels::HOOKS,
        notify_channels::REPOSITORIES,
    ];
    loop {
        match Listener::connect(url, &channels).await {
            Ok(listener) => return listener,
            Err(error) => tracing::warn!(%error, "cannot listen to notifications yet"),
        }
        sleep(RECONNECT_INTERVAL).await;
    }
}
