//! The server: the roles of a process, behind the public listener, the mesh listener, or both.
mod options;
mod routes;
mod stop_order;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use ck8s_auth::Auth;
use ck8s_db::events::{self, FlowEvent};
use ck8s_edge::{Edge, EdgeConfig, EdgeDeps, Version};
use ck8s_pki::Certificates;
use ck8s_rpc::{
    guard::GuardLayer,
    identify::MeshIdentify,
    mesh::{self, Channel, Mesh, Services},
    policy::Policy,
    server::routes_with_standard,
};
use ck8s_types::EventKind;
use serde_json::json;
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinSet};
use tonic::service::Routes;
use tonic_health::{ServingStatus, server::HealthReporter};

use self::stop_order::Stops;
use crate::{readiness::Readiness, roles::Roles};

pub(crate) use self::options::Options;

/// How long open calls and streams may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(6);
/// How long connections to the database may take to end after that.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long peers get to learn that this process stops, before it accepts no more calls.
const LEAVE_PAUSE: Duration = Duration::from_millis(250);
/// How often the health of the whole server follows its readiness.
const READINESS_INTERVAL: Duration = Duration::from_millis(500);

/// A running server.
pub(crate) struct Server {
    auth: Option<Auth>,
    address: Option<SocketAddr>,
    health: HealthReporter,
    readiness: Readiness,
    roles: Roles,
    parts: JoinSet<Result<()>>,
    pools: Vec<PgPool>,
    stops: Stops,
}

impl Server {
    /// Starts every role. When it returns, the listeners answer; roles of other processes may come later.
    pub(crate) async fn start(options: Options, listener: Option<TcpListener>) -> Result<Self> {
        let stops = Stops {
            linger: options.tuning.linger(),
            ..Stops::default()
        };
        let policy = Arc::new(Policy::from_descriptor_set(
            ck8s_proto::FILE_DESCRIPTOR_SET,
        )?);
        let certificates = options.mesh.certificates(&options.roles, &stops.files)?;
        let mesh = options
            .mesh
            .mesh(&options.roles, &policy, certificates.as_ref())?;
        let built = routes::build(&options, &mesh, &stops.edge.now).await?;
        let (health, _) = tonic_health::server::health_reporter();
        let routes =
            routes_with_standard(built.routes, &health).context("the contract's descriptor set")?;
        let role = options.roles.names().next().context("no role")?;
        let edge = options.sign_in.edge(options.tuning.edge())?;
        let identity = MeshIdentify::new(mesh.channel(role)).with_failure_rate(edge.sign_in_rate);
        let pool = built.pools.first().cloned();
        let address = listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let mut server = Self {
            auth: built.auth,
            address,
            health,
            readiness: Readiness::new(pool, mesh.clone(), stops.leaving.clone()),
            pools: built.pools,
            parts: JoinSet::new(),
            stops,
            roles: options.roles,
        };
        let guard = GuardLayer::new(policy, Arc::new(identity)).with_memory(edge.memory_bytes);
        server.report(ServingStatus::Serving).await;
        if let Some(at) = options.mesh.listen() {
            let certificates = certificates.context("a mesh listener has certificates")?;
            server.listen(at, certificates, &routes, &guard).await?;
        }
        server.serve_memory(&mesh, routes.clone(), guard.clone());
        if let Some(listener) = listener {
            let services = mesh.services(routes, &guard.public(), &guard.relay());
            server.serve_edge(
                listener,
                edge,
                services,
                guard.policy(),
                mesh.channel("edge"),
            );
        }
        server.follow_readiness();
        server.record_start();
        Ok(server)
    }

    /// Records in the audit trail which revision serves from now on. A process without a database leaves this to those
    /// that have one.
    fn record_start(&self) {
        let Some(pool) = self.pools.first().cloned() else {
            return;
        };
        let Version {
            version, revision, ..
        } = Version::default();
        let roles = self.roles.names().collect::<Vec<_>>().join(", ");
        let event = FlowEvent {
            kind: EventKind::ServerStarted,
            project_id: None,
            run_id: None,
            actor: "system".to_owned(),
            message: format!("ck8s {version}, revision {revision}, serves {roles}"),
            data: Some(json!({ "version": version, "revision": revision, "roles": roles })),
        };
        tokio::spawn(async move {
            let recorded = async {
                let mut conn = pool.acquire().await?;
                events::record(&mut conn, &[event]).await
            };
            if let Err(error) = recorded.await {
                tracing::warn!(%error, "the start was not recorded");
            }
        });
    }

    async fn listen(
        &mut self,
        at: SocketAddr,
        certificates: Certificates,
        routes: &Routes,
        guard: &GuardLayer,
    ) -> Result<()> {
        let listener = TcpListener::bind(at)
            .await
            .with_context(|| format!("cannot listen on {at}: choose another with --mesh-listen"))?;
        tracing::info!(address = %at, identity = %certificates.identity(), "the mesh listener answers");
        let (routes, guard) = (routes.clone(), guard.clone());
        let (done, stop) = (self.stops.listen.part(), self.stops.listen.now.clone());
        self.parts.spawn(async move {
            let _done = done;
            Ok(mesh::listen(listener, certificates, routes, guard, stop).await?)
        });
        Ok(())
    }

    fn serve_memory(&mut self, mesh: &Mesh, routes: Routes, guard: GuardLayer) {
        let mesh = mesh.clone();
        let (done, stop) = (self.stops.memory.part(), self.stops.memory.now.clone());
        self.parts.spawn(async move {
            let _done = done;
            Ok(mesh.serve(routes, guard, stop).await?)
        });
    }

    fn serve_edge(
        &mut self,
        listener: TcpListener,
        mut edge: EdgeConfig,
        services: Services,
        policy: Arc<Policy>,
        channel: Channel,
    ) {
        let readiness = self.readiness.clone();
        edge.draining = self.stops.leaving.clone();
        let (done, stop) = (self.stops.edge.part(), self.stops.edge.now.clone());
        self.parts.spawn(async move {
            let _done = done;
            let readiness = move || {
                let readiness = readiness.clone();
                async move { readiness.missing().await }
            };
            let deps = EdgeDeps {
                listener,
                services,
                policy,
                channel,
                readiness,
            };
            Edge::serve(deps, edge, stop).await?;
            Ok(())
        });
    }

    /// Keeps the health of the whole server (the empty name) equal to its readiness. That of each service is not: a
    /// service takes calls as long as its process lives, also without its peers, so that the loss of one role does not
    /// spread to all who call its callers.
    fn follow_readiness(&self) {
        let (readiness, health) = (self.readiness.clone(), self.health.clone());
        let stop = self.stops.edge.now.clone();
        let following = async move {
            let mut ticks = tokio::time::interval(READINESS_INTERVAL);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut before = true;
            loop {
                ticks.tick().await;
                let missing = readiness.missing().await;
                let ready = missing.is_empty();
                if ready != before {
                    tracing::info!(ready, ?missing, "readiness");
                    before = ready;
                }
                let status = if ready {
                    ServingStatus::Serving
                } else {
                    ServingStatus::NotServing
                };
                health.set_service_status("", status).await;
            }
        };
        tokio::spawn(async move { stop.run_until_cancelled(following).await });
    }

    /// Returns the address of the public listener, if there is one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Returns what says whether the server can serve.
    pub(crate) fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Returns the auth service, if it is among the roles.
    pub(crate) fn auth(&self) -> Option<&Auth> {
        self.auth.as_ref()
    }

    /// Waits until a part ends that should not. Cancel safe.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        match self.parts.join_next().await {
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => anyhow::Error::new(error),
            Some(Ok(Ok(()))) | None => anyhow::anyhow!("a part of the server ended by itself"),
        }
    }

    /// Stops the server: tells its peers, accepts nothing new, ends streams and open calls, then the mesh.
    pub(crate) async fn stop(mut self) {
        self.stops.leaving.cancel();
        if self.stops.edge.done.is_some() {
            tokio::time::sleep(self.stops.linger).await;
        }
        self.report(ServingStatus::NotServing).await;
        if self.stops.listen.done.is_some() {
            tokio::time::sleep(LEAVE_PAUSE).await;
        }
        let ended = async {
            self.stops.edge.stop().await;
            self.stops.listen.stop().await;
            // Nobody is left to call over memory.
            self.stops.memory.stop().await;
        };
        if tokio::time::timeout(STOP_TIMEOUT, ended).await.is_err() {
            tracing::warn!("some calls were still open at the end");
        }
        self.stops.files.cancel();
        self.parts.shutdown().await;
        // The database may stop after us: no connection is open then.
        let closing = async {
            for pool in &self.pools {
                pool.close().await;
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_err() {
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
