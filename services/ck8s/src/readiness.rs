//! Whether the process can serve: its database answers, the roles that it needs can be reached.
use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use ck8s_rpc::mesh::Mesh;
use ck8s_telemetry::Admin;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

/// How long one answer of the database counts: probes must not load it.
const READY_FOR: Duration = Duration::from_secs(1);

/// Asks what is missing; a clone is the same.
#[derive(Clone)]
pub struct Readiness {
    pool: Option<PgPool>,
    mesh: Mesh,
    stopping: CancellationToken,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Readiness {
    pub fn new(pool: Option<PgPool>, mesh: Mesh, stopping: CancellationToken) -> Self {
        Self {
            pool,
            mesh,
            stopping,
            last: Arc::default(),
        }
    }

    /// What the process needs and does not have: `database`, or roles. `stopping`: it wants nothing new.
    pub async fn missing(&self) -> Vec<&'static str> {
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

/// The private listener's word on readiness, from before the server is there.
#[derive(Clone, Default)]
pub struct Answers(Arc<OnceLock<Readiness>>);

impl Answers {
    /// The server is there.
    pub fn set(&self, readiness: Readiness) {
        // It is set once.
        let _ = self.0.set(readiness);
    }

    /// Serves the private listener in the background until `shutdown`.
    pub fn serve(&self, admin: Admin, shutdown: &CancellationToken) {
        let answers = self.clone();
        let missing = move || {
            let answers = answers.clone();
            async move {
                match answers.0.get() {
                    Some(readiness) => readiness.missing().await,
                    None => vec!["started"],
                }
            }
        };
        tokio::spawn(admin.serve(missing, shutdown.clone()));
    }
}
