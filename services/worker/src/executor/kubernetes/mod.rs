//! Workloads as Jobs in a cluster. They outlive the worker and are adopted.
mod output;
mod watch;

use std::time::Duration;

use async_trait::async_trait;
use ck8s_kube::{Cluster, JobName, KubeError, WorkloadSpec};
use ck8s_types::{Epoch, RunReason};
use tokio::sync::mpsc;

use self::watch::{Driver, LogPlace};
use super::{EVENTS, Ending, Executor, Exit, Order, StartError, Target, Workload};
use crate::log::LogSink;

/// The kubernetes executor.
pub struct KubernetesExecutor {
    cluster: Cluster,
    namespace_prefix: String,
    server_url: Option<String>,
}

impl KubernetesExecutor {
    /// Runs workloads in `cluster`, in a namespace per project.
    #[must_use]
    pub fn new(cluster: Cluster, namespace_prefix: String, server_url: Option<String>) -> Self {
        Self {
            cluster,
            namespace_prefix,
            server_url,
        }
    }

    fn job(&self, target: &Target) -> JobName {
        JobName {
            namespace: format!("{}{}", self.namespace_prefix, target.project),
            run: target.run,
            attempt: target.attempt,
        }
    }

    fn watch(&self, job: JobName, log: &LogSink, place: LogPlace) -> Workload {
        let (events, receiver) = mpsc::channel(EVENTS);
        let reference = format!("kubernetes:{job}");
        let ending = Ending::default();
        let driver = Driver::new(
            self.cluster.clone(),
            job,
            log.clone(),
            events,
            place,
            ending.clone(),
        );
        Workload::new(reference, receiver, ending, tokio::spawn(driver.run()))
    }
}

impl From<KubeError> for StartError {
    fn from(error: KubeError) -> Self {
        match error {
            KubeError::Refused { reason, message } => Self::Refused(Exit {
                reason,
                message,
                code: None,
            }),
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

    fn labels(&self) -> Vec<String> {
        vec![format!("cluster={}", self.cluster.id())]
    }

    async fn start(&self, order: &Order, log: &LogSink) -> Result<Workload, StartError> {
        if order.spec.image.is_empty() {
            return Err(StartError::Refused(Exit {
                reason: RunReason::ConfigError,
                message: "There is no image: the kubernetes executor needs one.".to_owned(),
                code: None,
            }));
        }
        let job = self.job(&order.target);
        let mut env = order.env.clone();
        if let Some(url) = &self.server_url {
            env.insert("CK8S_URL".to_owned(), url.clone());
        }
        let workload = WorkloadSpec {
            job: job.clone(),
            epoch: order.epoch,
            spec: order.spec.clone(),
            env,
            secrets: order.secrets.clone(),
        };
        let started = self.cluster.start(&workload).await?;
        let place = match started {
            ck8s_kube::Started::Created => LogPlace::Fresh,
            ck8s_kube::Started::Adopted => LogPlace::Stored(order.stored_log),
        };
        Ok(self.watch(job, log, place))
    }

    async fn adopt(&self, order: &Order, log: &LogSink) -> Result<Option<Workload>, StartError> {
        let job = self.job(&order.target);
        if !self.cluster.adopt(&job, order.epoch).await? {
            return Ok(None);
        }
        Ok(Some(self.watch(
            job,
            log,
            LogPlace::Stored(order.stored_log),
        )))
    }

    async fn remove(
        &self,
        target: &Target,
        lease: Option<Epoch>,
        grace: Duration,
    ) -> Result<(), StartError> {
        Ok(self.cluster.remove(&self.job(target), lease, grace).await?)
    }

    async fn leftovers(&self) -> Result<Vec<Target>, StartError> {
        let found = self.cluster.leftovers().await?;
        let target = |job: JobName| {
            let project = job
                .namespace
                .strip_prefix(&self.namespace_prefix)?
                .to_owned();
            Some(Target {
                run: job.run,
                attempt: job.attempt,
                project,
            })
        };
        Ok(found.into_iter().filter_map(target).collect())
    }
}
