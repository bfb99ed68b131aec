//! The server: the roles of a process wired over the in-process mesh, behind one public listener.
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use ck8s_auth::Auth;
use ck8s_db::ServiceRole;
use ck8s_ingress::{Ingress, IngressConfig};
use ck8s_repositories::{KeyRing, Repositories};
use ck8s_rpc::{
    guard::GuardLayer, identify::MeshIdentify, mesh::Mesh, policy::Policy,
    server::routes_with_standard,
};
use ck8s_runs::Runs;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    config::{Secrets, Tuning},
    roles::{ROLES, Roles},
};

/// How long open calls and streams may take to end.
const STOP: Duration = Duration::from_secs(6);
/// How long connections to the database may take to end after that.
const CLOSE: Duration = Duration::from_secs(1);
/// How long one answer of the database counts for readiness: probes must not load it.
const READY_FOR: Duration = Duration::from_secs(1);

/// What a server is made of.
pub struct Options {
    /// The roles; checked before.
    pub roles: Roles,
    /// The migrated database.
    pub database_url: SecretString,
    /// Keys.
    pub secrets: Secrets,
    /// Settings.
    pub tuning: Tuning,
}

/// A running server.
pub struct Server {
    auth: Option<Auth>,
    address: SocketAddr,
    health: HealthReporter,
    roles: Roles,
    parts: JoinSet<Result<()>>,
    pools: Vec<PgPool>,
    /// Stops the edge and the services' tasks.
    stopping: CancellationToken,
    /// Stops the mesh, which the edge needs until its last call.
    stopping_mesh: CancellationToken,
}

impl Server {
    /// Starts every role; when it returns, the listener answers.
    pub async fn start(options: Options, listener: TcpListener) -> Result<Self> {
        let Options {
            roles,
            database_url,
            secrets,
            tuning,
        } = options;
        let (stopping, stopping_mesh) = (CancellationToken::new(), CancellationToken::new());
        let mesh = Mesh::new();
        let address = listener.local_addr()?;
        let mut routes = Routes::default();
        let mut auth = None;
        let mut pools = Vec::new();
        for role in ROLES.iter().filter(|role| roles.has(role.name)) {
            let pool = match role.database {
                Some((as_whom, connections)) => {
                    Some(connect(&database_url, as_whom, connections).await?)
                }
                None => None,
            };
            pools.extend(pool.clone());
            let channel = mesh.channel(role.name);
            routes = match (role.name, pool) {
                ("auth", Some(pool)) => {
                    let service = Auth::new(pool);
                    let routes = routes
                        .add_service(service.auth_server())
                        .add_service(service.projects_server());
                    auth = Some(service);
                    routes
                }
                ("repositories", Some(pool)) => {
                    let key_ring = KeyRing::from_text(secrets.key_ring.expose_secret())
                        .context("CK8S_KEY_RING")?;
                    let service = Repositories::new(pool, key_ring, channel);
                    service.verify_key_ring().await.context("CK8S_KEY_RING")?;
                    routes.add_service(service.server())
                }
                ("ingress", Some(pool)) => {
                    let config = IngressConfig {
                        platform_secret: secrets.webhook_secret.clone(),
                    };
                    routes.add_service(
                        Ingress::start(pool, channel, config, stopping.clone()).server(),
                    )
                }
                ("runs", Some(pool)) => {
                    let config = tuning.runs(secrets.run_token_key()?)?;
                    let url = database_url.expose_secret().to_owned();
                    let service = Runs::start(pool, url, channel, config, stopping.clone()).await?;
                    routes
                        .add_service(service.runs_server())
                        .add_service(service.lease_server())
                }
                _ => routes,
            };
        }

        let (health, _) = tonic_health::server::health_reporter();
        let routes =
            routes_with_standard(routes, &health).context("the contract's descriptor set")?;
        let policy = Policy::from_descriptor_set(ck8s_proto::FILE_DESCRIPTOR_SET)?;
        let identity = Arc::new(MeshIdentify::new(mesh.channel("edge")));
        let guard = GuardLayer::new(Arc::new(policy), identity);

        let mut parts = JoinSet::new();
        let (served, guarded, stop) = (routes.clone(), guard.clone(), stopping_mesh.clone());
        let on_mesh = mesh.clone();
        parts.spawn(async move { Ok(on_mesh.serve(served, guarded, stop).await?) });
        let readiness = Readiness::new(pools.first().cloned());
        let (channel, edge, stop) = (mesh.channel("edge"), tuning.edge(), stopping.clone());
        parts.spawn(async move {
            let ready = move || {
                let readiness = readiness.clone();
                async move { readiness.ready().await }
            };
            ck8s_edge::serve(listener, edge, routes, guard, channel, ready, stop).await?;
            Ok(())
        });

        let server = Self {
            auth,
            address,
            health,
            roles,
            parts,
            pools,
            stopping,
            stopping_mesh,
        };
        server.report(ServingStatus::Serving).await;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The auth service, if it is among the roles.
    pub fn auth(&self) -> Option<&Auth> {
        self.auth.as_ref()
    }

    /// Waits until a part ends that should not. Safe to drop and call again.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.parts.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => anyhow::Error::new(error),
            Some(Ok(Ok(()))) | None => anyhow::anyhow!("a part of the server ended by itself"),
        }
    }

    /// Stops: nothing new is accepted, streams are told, open calls end, then the mesh does.
    pub async fn stop(mut self) {
        self.report(ServingStatus::NotServing).await;
        self.stopping.cancel();
        let ended = async {
            // The edge ends first, then nobody is left to call over the mesh.
            self.parts.join_next().await;
            self.stopping_mesh.cancel();
            self.parts.join_next().await;
        };
        if tokio::time::timeout(STOP, ended).await.is_err() {
            tracing::warn!("some calls were still open at the end");
        }
        self.parts.shutdown().await;
        // So that nobody is surprised when the database stops after us.
        let closing = async {
            for pool in &self.pools {
                pool.close().await;
            }
        };
        if tokio::time::timeout(CLOSE, closing).await.is_err() {
            tracing::warn!("some connections to the database were still in use at the end");
        }
    }

    async fn report(&self, status: ServingStatus) {
        // The empty name stands for the whole server.
        for service in self.roles.services().chain([""]) {
            self.health.set_service_status(service, status).await;
        }
    }
}

async fn connect(url: &SecretString, role: ServiceRole, connections: u32) -> Result<PgPool> {
    ck8s_db::connect(url.expose_secret(), role, connections)
        .await
        .with_context(|| format!("as {}", role.as_str()))
}

/// Whether the server can serve: its database answers.
#[derive(Clone)]
struct Readiness {
    pool: Option<PgPool>,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Readiness {
    fn new(pool: Option<PgPool>) -> Self {
        Self {
            pool,
            last: Arc::default(),
        }
    }

    async fn ready(&self) -> bool {
        let Some(pool) = &self.pool else {
            return true;
        };
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, ready)) = last
            && at.elapsed() < READY_FOR
        {
            return ready;
        }
        let ready = ck8s_db::ping(pool, READY_FOR).await.is_ok();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), ready));
        ready
    }
}
