//! The kubernetes executor: a Job for each workload, in a namespace for each project.
use std::time::Duration;

use async_trait::async_trait;
use ck8s_kube::{Cluster, JobName, KubeError, StartOutcome, WorkloadSpec};
use ck8s_types::{Epoch, InstallationId, RunReason};
use secrecy::SecretString;
use tokio::sync::mpsc;

use super::job_watch::{JobWatch, LogPlace};
use crate::{
    domain::{Exit, LogSink, WorkloadId, WorkloadRequest},
    error::ExecutorError,
    executor::{
        Executor, Workload,
        workload::{MAX_WAITING_EVENTS, RemovalFlag},
    },
};

/// The kubernetes executor.
pub struct KubernetesExecutor {
    cluster: Cluster,
    namespace_prefix: String,
    server_url: Option<String>,
}

impl KubernetesExecutor {
    /// Runs workloads in `cluster`. A project's namespace is the prefix and the project's slug.
    #[must_use]
    pub fn new(cluster: Cluster, namespace_prefix: String, server_url: Option<String>) -> Self {
        Self {
            cluster,
            namespace_prefix,
            server_url,
        }
    }

    fn job_name(&self, workload: &WorkloadId) -> JobName {
        JobName {
            namespace: format!("{}{}", self.namespace_prefix, workload.project),
            run_id: workload.run_id,
            attempt: workload.attempt,
        }
    }

    fn workload_id(&self, job: &JobName) -> Option<WorkloadId> {
        let project = job.namespace.strip_prefix(&self.namespace_prefix)?;
        Some(WorkloadId {
            run_id: job.run_id,
            attempt: job.attempt,
            project: project.to_owned(),
        })
    }

    fn follow(&self, job: JobName, log: &LogSink, log_place: LogPlace) -> Workload {
        let (events, receiver) = mpsc::channel(MAX_WAITING_EVENTS);
        let reference = format!("kubernetes:{job}");
        let removal = RemovalFlag::default();
        let watch = JobWatch::new(
            self.cluster.clone(),
            job,
            log.clone(),
            events,
            log_place,
            removal.clone(),
        );
        Workload::new(reference, receiver, removal, tokio::spawn(watch.run()))
    }
}

impl From<KubeError> for ExecutorError {
    fn from(error: KubeError) -> Self {
        match error {
            KubeError::Refused { reason, message } => {
                Self::Refused(Exit::without_code(reason, message))
            }
            KubeError::Superseded => Self::Superseded,
            KubeError::Unavailable(message) => Self::Unavailable(message),
        }
    }
}

impl From<ck8s_kube::Exit> for Exit {
    fn from(exit: ck8s_kube::Exit) -> Self {
        Self {
            reason: exit.reason,
            message: exit.message,
            code: exit.code,
        }
    }
}

#[async_trait]
impl Executor for KubernetesExecutor {
    fn outlives_worker(&self) -> bool {
        true
    }

    fn serve(&self, installation: Option<InstallationId>) {
        self.cluster.serve(installation);
    }

    fn labels(&self) -> Vec<String> {
        vec![format!("cluster={}", self.cluster.id())]
    }

    async fn start(
        &self,
        workload: &WorkloadRequest,
        log: &LogSink,
    ) -> Result<Workload, ExecutorError> {
        if workload.spec.image.is_empty() {
            return Err(ExecutorError::Refused(Exit::without_code(
                RunReason::ConfigError,
                "There is no image: the kubernetes executor needs one.",
            )));
        }
        let job = self.job_name(&workload.id);
        let mut env = workload.env.clone();
        if let Some(url) = &self.server_url {
            env.insert("CK8S_URL".to_owned(), url.clone());
        }
        let spec = WorkloadSpec {
            job: job.clone(),
            epoch: workload.epoch,
            spec: workload.spec.clone(),
            env,
            secrets: workload.secrets.clone(),
        };
        let log_place = match self.cluster.start(&spec).await? {
            StartOutcome::Created => LogPlace::Fresh,
            StartOutcome::Adopted => LogPlace::Stored(workload.stored_log.clone()),
        };
        Ok(self.follow(job, log, log_place))
    }

    async fn adopt(
        &self,
        workload: &WorkloadRequest,
        log: &LogSink,
    ) -> Result<Option<Workload>, ExecutorError> {
        let job = self.job_name(&workload.id);
        if !self.cluster.adopt(&job, workload.epoch).await? {
            return Ok(None);
        }
        let log_place = LogPlace::Stored(workload.stored_log.clone());
        Ok(Some(self.follow(job, log, log_place)))
    }

    async fn given_secrets(
        &self,
        workload: &WorkloadId,
    ) -> Result<Vec<SecretString>, ExecutorError> {
        Ok(self.cluster.given_secrets(&self.job_name(workload)).await?)
    }

    async fn remove(
        &self,
        workload: &WorkloadId,
        epoch: Option<Epoch>,
        grace: Duration,
    ) -> Result<(), ExecutorError> {
        let job = self.job_name(workload);
        Ok(self.cluster.remove(&job, epoch, grace).await?)
    }

    async fn leftovers(&self) -> Result<Vec<WorkloadId>, ExecutorError> {
        let jobs = self.cluster.leftovers().await?.into_iter();
        Ok(jobs.filter_map(|job| self.workload_id(&job)).collect())
    }
}
