//! A running worker: wires its parts together, and starts a task for each lease.
use std::{collections::HashMap, sync::Arc, time::Duration};

use ck8s_proto::runs::v1 as pb;
use ck8s_types::{InstanceId, LeaseRef, RunId};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    config::WorkerConfig,
    connection::{Connection, ConnectionState},
    context::WorkerContext,
    convert::grant_from_pb,
    domain::{Grant, GrantPurpose, LeaseKey, LeaseSignals, Moment},
    error::WorkerError,
    executor,
    lease::{GrantOutcome, LeaseStream, LeaseTable, WorkerIdentity},
    lease_task::LeaseTask,
    log::Shipper,
    tasks,
};

/// Bounds how long a worker that shuts down may take to hand back its leases. Then they expire at the server.
const HANDBACK_TIMEOUT: Duration = Duration::from_secs(20);

/// A worker that was started.
pub struct Worker {
    running: JoinHandle<Result<(), WorkerError>>,
    connection: watch::Receiver<ConnectionState>,
}

impl Worker {
    /// Starts a worker. On `shutdown` it hands back its leases and ends.
    #[must_use]
    pub fn start(config: WorkerConfig, shutdown: CancellationToken) -> Self {
        let connection = watch::Sender::new(ConnectionState::Disconnected);
        Self {
            connection: connection.subscribe(),
            running: tokio::spawn(run(config, connection, shutdown)),
        }
    }

    /// Returns the state of the worker's connection, which changes with it.
    #[must_use]
    pub fn connection(&self) -> watch::Receiver<ConnectionState> {
        self.connection.clone()
    }

    /// Waits until the worker has ended.
    ///
    /// # Errors
    /// [`WorkerError`] if it cannot work and waiting does not help.
    pub async fn wait(&mut self) -> Result<(), WorkerError> {
        (&mut self.running).await?
    }

    /// Whether the worker has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.running.is_finished()
    }

    /// Ends the worker at once. Its leases expire at the server.
    pub fn abort(&self) {
        self.running.abort();
    }
}

async fn run(
    config: WorkerConfig,
    connection_state: watch::Sender<ConnectionState>,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let connection = Arc::new(Connection::new(&config.url, &config.credential)?);
    // The background tasks go on until the leases are handed back.
    let end = CancellationToken::new();
    let _end = end.clone().drop_guard();
    tasks::renew_certificate::start(&config.credential, &end)?;
    let executor = executor::connect(&config.executor, &end).await?;
    let leases = Arc::new(LeaseTable::default());
    let (shipper, _shipper) = Shipper::spawn(Arc::clone(&leases), Arc::clone(&connection));
    let identity = WorkerIdentity {
        instance_id: InstanceId::new(),
        labels: config.all_labels(executor.labels()),
        executor: config.executor.name(),
        capacity: i32::try_from(config.capacity).unwrap_or(i32::MAX),
        worker_id: config.worker_id,
    };
    let context = Arc::new(WorkerContext {
        leases: Arc::clone(&leases),
        connection: Arc::clone(&connection),
        executor,
        shipper,
        drain: shutdown.clone(),
    });
    let connected = connection_state.subscribe();
    tokio::spawn(tasks::sweep::run(
        Arc::clone(&context),
        connected,
        end.clone(),
    ));
    let stream = LeaseStream {
        executor: Arc::clone(&context.executor),
        identity,
        connection,
        leases,
        drain: shutdown.clone(),
        connection_state,
    };
    let mut tasks = LeaseTasks {
        context,
        running: HashMap::new(),
    };
    let handback_timeout = async {
        shutdown.cancelled().await;
        tokio::time::sleep(HANDBACK_TIMEOUT).await;
    };
    tokio::select! {
        ended = stream.run(|grant, expiry| tasks.accept(grant, expiry)) => ended,
        () = handback_timeout => {
            tracing::warn!("not all leases could be handed back in time; they will expire");
            Ok(())
        }
    }
}

/// The tasks of all leases.
struct LeaseTasks {
    context: Arc<WorkerContext>,
    running: HashMap<RunId, JoinHandle<()>>,
}

impl LeaseTasks {
    /// Enters a grant into the lease table, and starts a task for it if it is new.
    fn accept(&mut self, grant: pb::Grant, expiry: Moment) {
        let Some(grant) = grant_from_pb(grant) else {
            tracing::error!("a grant cannot be decoded; its lease will expire");
            return;
        };
        let lease = LeaseRef {
            run_id: grant.workload.run_id,
            epoch: grant.epoch,
        };
        let attempt = grant.workload.attempt;
        self.running.retain(|_, task| !task.is_finished());
        match self.context.leases.enter_grant(lease, attempt, expiry) {
            GrantOutcome::Duplicate => {}
            GrantOutcome::Renewed => {
                tracing::info!(run.id = %lease.run_id, epoch = %lease.epoch, "a workload continues under a new lease");
                if grant.purpose == GrantPurpose::CleanUp {
                    self.context.leases.cancel(lease, Duration::ZERO);
                }
            }
            GrantOutcome::New(key, signals) => {
                tracing::info!(run.id = %lease.run_id, epoch = %lease.epoch, attempt, purpose = ?grant.purpose, "a new lease");
                self.spawn(key, signals, grant);
            }
        }
    }

    fn spawn(&mut self, key: LeaseKey, signals: Arc<LeaseSignals>, grant: Grant) {
        let earlier = self.running.remove(&key.run_id);
        let task = LeaseTask::new(Arc::clone(&self.context), key, signals, grant);
        let task = async move {
            // An earlier workload of the same run must be gone first.
            if let Some(earlier) = earlier {
                let _ = earlier.await;
            }
            task.run().await;
        };
        self.running.insert(key.run_id, tokio::spawn(task));
    }
}
