//! The public listener: accepts connections, and lets those that are under way end at the shutdown.
mod activity;
mod client_stream;
mod connection;
mod connections;
mod counted_body;
mod frame_meter;

use std::{future::Future, sync::Arc, time::Duration};

use ck8s_rpc::{
    mesh::{Channel, Services},
    policy::Policy,
    rate::Rate,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    connection::{Connection, Signals},
    connections::Connections,
};
use crate::{
    EdgeConfig, EdgeError,
    auth::AuthEndpoints,
    rate_limit::RateLimited,
    router::{Router, RouterParts},
    webhook::{IngressClient, WebhookEndpoint},
};

/// Bounds how long requests that are under way may take after the shutdown began.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// The part of the process's memory that unfinished heads may take.
const HEAD_MEMORY_PART: u64 = 16;
/// The pause after an accept that failed (no file descriptor is left): other connections may end meanwhile.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// What the edge needs of others.
pub struct EdgeDeps<F> {
    /// The public address.
    pub listener: TcpListener,
    /// Every gRPC service, of this process and of others, behind its guard.
    pub services: Services,
    /// Says which methods take no token: their calls are limited by address.
    pub policy: Arc<Policy>,
    /// Leads to the services ingress and auth, as the role `edge`.
    pub channel: Channel,
    /// Returns the names of what the process needs and lacks now; it is ready if that is nothing.
    pub readiness: F,
}

/// The public listener.
pub struct Edge {
    listener: TcpListener,
    router: Router,
    connections: Connections,
    signals: Signals,
}

impl Edge {
    /// Serves the public listener until `shutdown`, then lets what is under way end, for ten seconds.
    ///
    /// # Errors
    /// [`EdgeError::Listener`] if the listener fails.
    pub async fn serve<F, R>(
        deps: EdgeDeps<F>,
        config: EdgeConfig,
        shutdown: CancellationToken,
    ) -> Result<(), EdgeError>
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Vec<&'static str>> + Send + 'static,
    {
        let rate = Arc::new(Rate::per_minute(config.sign_in_rate));
        let ingress = IngressClient::start(deps.channel.clone());
        let readiness = deps.readiness;
        let max_heads = usize::try_from(config.memory_bytes / HEAD_MEMORY_PART);
        let connections = Connections::new(
            config.max_connections,
            max_heads.unwrap_or(usize::MAX),
            &config.trusted_proxies,
        );
        let router = Router::new(RouterParts {
            webhooks: WebhookEndpoint::new(ingress, config.webhook_rate, config.memory_bytes),
            auth: AuthEndpoints::new(deps.channel, config.public_url, rate.clone()),
            grpc: RateLimited::new(deps.services, deps.policy, rate),
            readiness: Arc::new(move || Box::pin(readiness())),
            trusted_proxies: config.trusted_proxies,
            version: config.version,
        });
        let edge = Self {
            listener: deps.listener,
            router,
            connections,
            signals: Signals {
                draining: config.draining,
                shutdown,
            },
        };
        edge.accept().await
    }

    async fn accept(self) -> Result<(), EdgeError> {
        let address = self.listener.local_addr()?;
        tracing::info!(%address, "the public listener answers");
        let connections = TaskTracker::new();
        let abort = CancellationToken::new();
        loop {
            let accepted = tokio::select! {
                () = self.signals.shutdown.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let Some(place) = self.connections.admit(peer.ip()) else {
                        tracing::debug!(%peer, "a connection was refused: all are busy");
                        metrics::counter!("ck8s_edge_connections_refused_total").increment(1);
                        continue;
                    };
                    let connection = Connection {
                        stream,
                        peer: peer.ip(),
                        place,
                        router: self.router.clone(),
                        signals: self.signals.clone(),
                    };
                    let abort = abort.clone();
                    connections
                        .spawn(async move { abort.run_until_cancelled(connection.serve()).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
                }
            }
        }
        drop(self.listener);
        connections.close();
        let drained = tokio::time::timeout(DRAIN_TIMEOUT, connections.wait()).await;
        if drained.is_err() {
            tracing::warn!(
                open = connections.len(),
                "connections were still open at the end"
            );
            abort.cancel();
            connections.wait().await;
        }
        Ok(())
    }
}
