//! Whether the process can serve: its database responds, and the roles that it needs can be reached.
use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use ck8s_rpc::mesh::Mesh;
use ck8s_telemetry::Admin;
use parking_lot::Mutex;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

/// How long the result of one check of the database is used, so that probes do not load it.
const DATABASE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Finds what the process needs and does not have; a clone shares its state.
#[derive(Clone)]
pub(crate) struct Readiness {
    pool: Option<PgPool>,
    mesh: Mesh,
    stopping: CancellationToken,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Readiness {
    pub(crate) fn new(pool: Option<PgPool>, mesh: Mesh, stopping: CancellationToken) -> Self {
        Self {
            pool,
            mesh,
            stopping,
            last: Arc::default(),
        }
    }

    /// What the process needs and does not have: `database`, or roles. `stopping`: it wants nothing new.
    pub(crate) async fn missing(&self) -> Vec<&'static str> {
        let mut missing = self.mesh.missing();
        if !self.database().await {
            missing.insert(0, "database");
        }
        if self.stopping.is_cancelled() {
            missing.insert(0, "stopping");
        }
        missing
    }

    async fn database(&self) -> bool {
        let Some(pool) = &self.pool else {
            return true;
        };
        let last = *self.last.lock();
        if let Some((at, ready)) = last
            && at.elapsed() < DATABASE_CHECK_INTERVAL
        {
            return ready;
        }
        let ready = ck8s_db::ping(pool, DATABASE_CHECK_INTERVAL).await.is_ok();
        *self.last.lock() = Some((Instant::now(), ready));
        ready
    }
}

/// The private listener's word on readiness, from before the server is there.
#[derive(Clone, Default)]
pub(crate) struct ReadinessEndpoint(Arc<OnceLock<Readiness>>);

impl ReadinessEndpoint {
    /// The server is there.
    pub(crate) fn set(&self, readiness: Readiness) {
        // It is set once.
        let _ = self.0.set(readiness);
    }

    /// Serves the private listener in the background until `shutdown`.
    pub(crate) fn serve(&self, admin: Admin, shutdown: &CancellationToken) {
        let readiness_endpoint = self.clone();
        let missing = move || {
            let readiness_endpoint = readiness_endpoint.clone();
            async move {
                match readiness_endpoint.0.get() {
                    Some(readiness) => readiness.missing().await,
                    None => vec!["started"],
                }
            }
        };
        tokio::spawn(admin.serve(missing, shutdown.clone()));
    }
}
