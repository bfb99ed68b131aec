//! The wiring: starts the service with its writers and tasks.
use std::sync::Arc;

use ck8s_batch::Batches;
use ck8s_db::listen::Listener;
use ck8s_proto::runs::v1::{
    lease_service_server::LeaseServiceServer, runs_service_server::RunsServiceServer,
};
use ck8s_rpc::mesh::{Channel, MAX_MESSAGE_BYTES};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{
    config::RunsConfig,
    engine::{self, Connections, Engine, EngineParts, Queues},
    error::RunsError,
    grpc::{LeaseHandler, RunsHandler},
    peers::Peers,
    store, tasks,
};

/// Writers of logs: while one waits for its commit, the other gathers. Four stored no more bytes per second.
const LOG_WRITERS: usize = 2;

/// What the service needs.
pub struct RunsDeps {
    /// Connections for calls and tasks, in the role of this service.
    pub pool: PgPool,
    /// The database's address, for the connections of the writers and for LISTEN.
    pub database_url: String,
    /// The way to the other services.
    pub channel: Channel,
}

/// The service. Its tasks run until it is shut down.
#[derive(Clone)]
pub struct Runs {
    engine: Arc<Engine>,
}

impl Runs {
    /// Starts the service and its tasks. They end with `shutdown`.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn start(
        deps: RunsDeps,
        config: RunsConfig,
        shutdown: CancellationToken,
    ) -> Result<Self, RunsError> {
        let url = &deps.database_url;
        let connections = Connections::connect(url).await?;
        let pools = store::label_pools::all(&mut *deps.pool.acquire().await?).await?;
        let installation = store::installation::ensure(&mut *deps.pool.acquire().await?).await?;
        let clusters = store::events::clusters(&mut *deps.pool.acquire().await?).await?;
        let parts = EngineParts {
            pool: deps.pool,
            connections,
            peers: Peers::new(deps.channel),
            installation,
            clusters,
            config,
        };
        let (engine, queues) = Engine::new(parts, shutdown);
        engine.scheduler().add_pools(pools);
        let listener = Listener::connect(url, &[ck8s_db::notify_channels::RUNS])
            .await
            .map_err(|e| RunsError::Corrupt(e.to_string()))?;
        spawn(&engine, url, queues, listener).await?;
        Ok(Self { engine })
    }

    /// `RunsService`.
    #[must_use]
    pub fn runs_server(&self) -> RunsServiceServer<RunsHandler> {
        RunsServiceServer::new(RunsHandler::new(self.engine.clone()))
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// `LeaseService`.
    #[must_use]
    pub fn lease_server(&self) -> LeaseServiceServer<LeaseHandler> {
        LeaseServiceServer::new(LeaseHandler::new(self.engine.clone()))
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
    }
}

/// Starts the writers and tasks.
async fn spawn(
    engine: &Arc<Engine>,
    database_url: &str,
    queues: Queues,
    listener: Listener,
) -> Result<(), RunsError> {
    tokio::spawn(engine::create_runs(engine.clone(), queues.creations));
    for rx in queues.transitions {
        let pool = Connections::connect_writer(database_url).await?;
        tokio::spawn(engine::write_transitions(engine.clone(), pool, rx));
    }
    let appends = Batches::new(queues.log_appends, engine::MAX_BATCH_APPENDS);
    for batches in appends.workers(LOG_WRITERS) {
        let pool = Connections::connect_writer(database_url).await?;
        tokio::spawn(engine::write_logs(pool, batches));
    }
    tokio::spawn(engine::dispatch_loop(engine.clone()));
    tokio::spawn(tasks::renew_leases(engine.clone(), queues.heartbeats));
    tokio::spawn(tasks::reap_loop(engine.clone()));
    tokio::spawn(tasks::read_feed(engine.clone()));
    tokio::spawn(tasks::notify_replicas(engine.clone(), queues.notices));
    tokio::spawn(tasks::listen_to_replicas(engine.clone(), listener));
    tokio::spawn(tasks::maintain(engine.clone()));
    Ok(())
}
