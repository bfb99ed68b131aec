//! Makes the executor that the configuration names.
use std::{
    fmt::Display,
    path::{Path, PathBuf},
    sync::Arc,
};

use ck8s_kube::{Cluster, ClusterOptions};
use tokio_util::sync::CancellationToken;

use super::{Executor, KubernetesExecutor, ProcessExecutor};
use crate::{config::ExecutorConfig, error::WorkerError};

/// Makes the configured executor. Its background tasks end with `end`.
pub(crate) async fn connect(
    config: &ExecutorConfig,
    end: &CancellationToken,
) -> Result<Arc<dyn Executor>, WorkerError> {
    let unusable = |cause: &dyn Display| WorkerError::Executor {
        executor: config.name(),
        cause: cause.to_string(),
    };
    match config {
        ExecutorConfig::Process {
            work_dir,
            server_url_for_runs,
        } => {
            let guard = current_program().map_err(|e| unusable(&e))?;
            let executor = ProcessExecutor::new(work_dir, guard, server_url_for_runs.clone());
            Ok(Arc::new(executor.map_err(|e| unusable(&e))?))
        }
        ExecutorConfig::Kubernetes {
            kubeconfig,
            namespace_prefix,
            server_url_for_runs,
            egress_ceiling,
        } => {
            let options = ClusterOptions {
                kubeconfig: kubeconfig.clone(),
                server_url: server_url_for_runs.clone(),
                egress_ceiling: egress_ceiling.clone(),
            };
            let cluster = Cluster::connect(options, end).await;
            let executor = KubernetesExecutor::new(
                cluster.map_err(|e| unusable(&e))?,
                namespace_prefix.clone(),
                server_url_for_runs.clone(),
            );
            Ok(Arc::new(executor))
        }
    }
}

/// Returns the path of the running program. On Linux it stays valid when the program's file is replaced.
fn current_program() -> std::io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        Ok(running.to_owned())
    } else {
        std::env::current_exe()
    }
}
