//! Keeps repositories as they should be: what was left half done is brought to its end, services.yaml is looked at every ten minutes;
//! and hears what other replicas and services did. Several replicas may: what one takes, no other does.
use std::{sync::Arc, time::Duration};

use ck8s_db::{
    channels,
    listen::{Listener, Wake},
};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use crate::service::{Outside, Repositories};

/// Between rounds.
const PERIOD: Duration = Duration::from_secs(15);

/// On start and periodically, until shutdown.
pub(crate) async fn upkeep(repositories: Repositories, shutdown: CancellationToken) {
    let rounds = async {
        loop {
            if let Err(error) = repositories.recover_all().await {
                tracing::warn!(%error, "what was left half done stays so for now");
            }
            if let Err(error) = repositories.look_at_due().await {
                tracing::warn!(%error, "no services.yaml was looked at");
            }
            if let Err(error) = repositories.forget_old().await {
                tracing::warn!(%error, "what was told long ago is kept");
            }
            tokio::time::sleep(PERIOD).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        () = shutdown.cancelled() => {}
    }
}

/// Hears that pings came, and that runs and repositories changed, until shutdown.
pub(crate) async fn hear(outside: Arc<Outside>, shutdown: CancellationToken) {
    tokio::select! {
        () = hear_all(&outside) => {}
        () = shutdown.cancelled() => {}
    }
}

async fn hear_all(outside: &Outside) {
    let url = outside.database_url.expose_secret();
    let mut listener = loop {
        let channels = [channels::RUNS, channels::HOOKS, channels::REPOSITORIES];
        match Listener::connect(url, &channels).await {
            Ok(listener) => break listener,
            Err(error) => tracing::warn!(%error, "cannot hear of pings and runs yet"),
        }
        tokio::time::sleep(PERIOD).await;
    };
    loop {
        match listener.next().await {
            Wake::Notified { channel, payload } if channel == channels::HOOKS => {
                if let Ok(repository) = payload.parse() {
                    // Nobody may be waiting for it.
                    let _ = outside.pings.send(repository);
                }
            }
            Wake::Notified { channel, .. } if channel == channels::REPOSITORIES => {
                outside.repositories_changed.notify_one();
            }
            Wake::Notified { .. } => outside.runs_changed.notify_one(),
            Wake::Reconnected => {
                outside.runs_changed.notify_one();
                outside.repositories_changed.notify_one();
            }
        }
    }
}
