//! The worker that `ck8s up` runs in its own process.
use std::time::Duration;

use anyhow::{Result, anyhow};
use ck8s_worker::{Credential, Worker, WorkerConfig};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::{args::UpArgs, data_dir::DataDir, demo};
use crate::worker::{self, Executor};

/// Bounds how long the local worker takes to hand its leases back.
const WORKER_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The worker in the process of `ck8s up`.
pub(super) struct LocalWorker {
    id: String,
    worker: Worker,
    stopping: CancellationToken,
}

/// Starts the local worker.
pub(super) fn start(
    args: &UpArgs,
    dir: &DataDir,
    url: &str,
    token: SecretString,
) -> Result<LocalWorker> {
    let worker_id = worker::machine_worker_id()?;
    let id = worker_id.to_string();
    let workload = match args.executor {
        Executor::Process => args.workload.clone().with_server_url(url),
        Executor::Kubernetes => args.workload.clone(),
    };
    let config = WorkerConfig {
        url: url.to_owned(),
        credential: Credential::Token(token),
        worker_id,
        labels: Vec::new(),
        capacity: args.capacity,
        executor: workload.executor(args.executor, dir.path().join("work"))?,
    };
    let stopping = CancellationToken::new();
    let worker = Worker::start(config, stopping.clone());
    Ok(LocalWorker {
        id,
        worker,
        stopping,
    })
}

impl LocalWorker {
    /// Waits until the server lists the worker as connected.
    pub(super) async fn connected(&mut self, url: &str, admin: &SecretString) -> Result<()> {
        let id = self.id.clone();
        tokio::select! {
            connected = demo::worker_connected(url, admin, &id) => connected,
            error = Self::failed(Some(&mut *self)) => Err(error),
        }
    }

    /// Waits until the worker ends by itself; for ever if there is none.
    pub(super) async fn failed(worker: Option<&mut Self>) -> anyhow::Error {
        let Some(local) = worker else {
            return std::future::pending().await;
        };
        match local.worker.wait().await {
            Ok(()) => anyhow!("the worker ended by itself"),
            Err(error) => anyhow::Error::new(error).context("the worker"),
        }
    }

    /// Stops the worker, which hands its leases back.
    pub(super) async fn stop(mut self) {
        if self.worker.is_finished() {
            return;
        }
        self.stopping.cancel();
        if tokio::time::timeout(WORKER_STOP_TIMEOUT, self.worker.wait())
            .await
            .is_err()
        {
            tracing::warn!("the worker did not hand everything back in time");
            self.worker.abort();
        }
    }
}
