//! Wires a worker together.
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use ck8s_kube::{Cluster, ClusterOptions};
use ck8s_proto::runs::v1::Grant;
use ck8s_types::{InstanceId, RunId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    ExecutorConfig, KubernetesExecutor, ProcessExecutor, WorkerConfig, WorkerError,
    connection::Connection,
    executor::Executor,
    lease::{Granted, Identity, LeaseTable, Sessions},
    log::Shipper,
    order::Granting,
    renew, sweep,
    task::{Context, Task},
};

/// How long a worker that goes may take to hand back what it holds.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// Runs a worker until `shutdown`; then hands back what it holds.
///
/// # Errors
/// [`WorkerError`] for what no waiting mends.
pub async fn run(config: WorkerConfig, shutdown: CancellationToken) -> Result<(), WorkerError> {
    let connection = Arc::new(Connection::new(&config.url, &config.credential)?);
    // Ends the background tasks, after the last words.
    let end = CancellationToken::new();
    let _end = end.clone().drop_guard();
    renew::start(&config, &end)?;
    let executor = executor(&config, &end).await?;
    let leases = Arc::new(LeaseTable::default());
    let (shipper, _shipper) = Shipper::spawn(Arc::clone(&leases), Arc::clone(&connection));
    let context = Arc::new(Context {
        leases: Arc::clone(&leases),
        connection: Arc::clone(&connection),
        executor,
        shipper,
        log: config.log,
        drain: shutdown.clone(),
    });
    tokio::spawn(sweep::run(Arc::clone(&context), end.clone()));
    let sessions = Sessions {
        identity: Identity {
            worker_id: config.worker_id.to_string(),
            instance_id: InstanceId::new(),
            labels: config.all_labels(context.executor.labels()),
            executor: config.executor.name(),
            capacity: i32::try_from(config.capacity).unwrap_or(i32::MAX),
        },
        connection,
        leases,
        drain: shutdown.clone(),
        connected: config.connected.clone(),
    };
    let mut tasks = Tasks {
        context,
        running: HashMap::new(),
    };
    let sessions = sessions.run(|grant, until| tasks.grant(grant, until));
    let patience = async {
        shutdown.cancelled().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        ended = sessions => ended,
        () = patience => {
            tracing::warn!("not everything could be handed back in time; the leases will expire");
            Ok(())
        }
    }
}

async fn executor(
    config: &WorkerConfig,
    end: &CancellationToken,
) -> Result<Arc<dyn Executor>, WorkerError> {
    let fault = |cause: &dyn std::fmt::Display| WorkerError::Executor {
        executor: config.executor.name(),
        cause: cause.to_string(),
    };
    match &config.executor {
        ExecutorConfig::Process {
            work_dir,
            server_url_for_runs,
        } => {
            let guard = match &config.guard_program {
                Some(program) => program.clone(),
                None => own_program().map_err(|e| fault(&e))?,
            };
            let executor = ProcessExecutor::new(work_dir, guard, server_url_for_runs.clone())
                .map_err(|e| fault(&e))?;
            Ok(Arc::new(executor))
        }
        ExecutorConfig::Kubernetes {
            kubeconfig,
            namespace_prefix,
            server_url_for_runs,
        } => {
            let options = ClusterOptions {
                kubeconfig: kubeconfig.clone(),
                server_url: server_url_for_runs.clone(),
            };
            let cluster = Cluster::connect(options, end)
                .await
                .map_err(|e| fault(&e))?;
            let executor = KubernetesExecutor::new(
                cluster,
                namespace_prefix.clone(),
                server_url_for_runs.clone(),
            );
            Ok(Arc::new(executor))
        }
    }
}

/// This program, also after its file was replaced by a newer one.
fn own_program() -> std::io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        Ok(running.to_owned())
    } else {
        std::env::current_exe()
    }
}

/// The tasks of all leases.
struct Tasks {
    context: Arc<Context>,
    running: HashMap<RunId, JoinHandle<()>>,
}

impl Tasks {
    fn grant(&mut self, grant: Grant, until: Instant) {
        let Some(granting) = Granting::read(grant) else {
            tracing::error!("a grant cannot be read; its lease will expire");
            return;
        };
        let (run, epoch, attempt) = (granting.target.run, granting.epoch, granting.target.attempt);
        self.running.retain(|_, task| !task.is_finished());
        match self.context.leases.granted(run, epoch, attempt, until) {
            Granted::Known => {}
            Granted::Renewed => {
                tracing::info!(run.id = %run, %epoch, "a workload goes on under a new lease");
                if granting.cleanup_only {
                    self.context.leases.canceled(run, epoch, Duration::ZERO);
                }
            }
            Granted::New(lease, control) => {
                tracing::info!(run.id = %run, %epoch, attempt, takeover = granting.takeover, "a lease");
                let earlier = self.running.remove(&run);
                let task = Task {
                    context: Arc::clone(&self.context),
                    lease,
                    control,
                    granting,
                };
                let task = async move {
                    // What this worker had of the run before must be gone first.
                    if let Some(earlier) = earlier {
                        let _ = earlier.await;
                    }
                    task.run().await;
                };
                self.running.insert(run, tokio::spawn(task));
            }
        }
    }
}
