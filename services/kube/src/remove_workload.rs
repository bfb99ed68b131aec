//! Removing a workload, and making certain that it is gone.
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use ck8s_types::Epoch;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Preconditions},
};

use crate::{
    adopt_workload::lease_epoch,
    cluster::Cluster,
    error::{KubeError, ignore_not_found, is_conflict},
    job_name::JobName,
    pod_view::PodView,
};

/// Bounds the time that a container gets between SIGTERM and SIGKILL: a canceled run's pod is to be gone within 5 s.
const MAX_GRACE_SECONDS: u64 = 2;
/// When a container that has not started counts as never starting, after its end was asked for: its node checks for
/// that first.
const START_TIMEOUT: Duration = Duration::from_secs(3);
/// How often to look at the pods where the watch brings no news.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// What became of the Job of a workload that is to be removed.
#[derive(PartialEq, Eq)]
enum JobRemoval {
    /// It is gone; its pods may still be there.
    Gone,
    /// It is another installation's.
    Foreign,
}

impl Cluster {
    /// Removes the Job and its pods. Returns when no pod is left. Safe to repeat, also if nothing exists.
    /// With the epoch of a lease, a Job that a newer lease has adopted is left alone. So is all of another
    /// installation's workload.
    ///
    /// # Errors
    /// [`KubeError::Superseded`], or [`KubeError::Unavailable`]: try again.
    pub async fn remove(
        &self,
        job: &JobName,
        epoch: Option<Epoch>,
        grace: Duration,
    ) -> Result<(), KubeError> {
        let mut watch = self.watch(job);
        let name = job.name();
        // The Job is removed first, since it would create a new pod.
        if self.remove_job(job, epoch).await? == JobRemoval::Foreign {
            return Ok(());
        }
        let mut deletions = HashMap::new();
        loop {
            watch.mark_unchanged();
            if self.remove_pods(job, grace, &mut deletions).await? {
                break;
            }
            let _ = tokio::time::timeout(POLL_INTERVAL, watch.changed()).await;
        }
        let params = DeleteParams::background();
        let secrets = self.secrets(&job.namespace);
        ignore_not_found("removing the Secret", secrets.delete(&name, &params).await)?;
        let policies = self.network_policies(&job.namespace);
        ignore_not_found(
            "removing the NetworkPolicy",
            policies.delete(&name, &params).await,
        )
    }

    /// Deletes each pod once; `deletions` keeps when. Returns whether none is left.
    async fn remove_pods(
        &self,
        job: &JobName,
        grace: Duration,
        deletions: &mut HashMap<String, Instant>,
    ) -> Result<bool, KubeError> {
        let pods = self.pods(&job.namespace);
        let left = pods
            .list(&ListParams::default().labels(&job.selector()))
            .await
            .map_err(|e| KubeError::from_api("looking for pods", &e))?;
        let mut none_left = true;
        let ours = |pod: &&Pod| self.installation().may_touch(*pod);
        for pod in left.items.iter().filter(ours).map(PodView::of) {
            let deletion = deletions.get(&pod.uid).copied();
            let never_starts =
                pod.unstarted() && deletion.is_some_and(|time| time.elapsed() >= START_TIMEOUT);
            // A grace of 0 removes the pod's object at once. So it is used only where the node has reported that no
            // container runs, or where none has started and the node has known for long that none is to start.
            let at_once = pod.dead || never_starts;
            let grace_seconds = if at_once {
                0
            } else {
                grace.as_secs().clamp(1, MAX_GRACE_SECONDS)
            };
            none_left &= at_once;
            if at_once || deletion.is_none() {
                deletions.insert(pod.uid.clone(), Instant::now());
                delete_pod(&pods, pod, grace_seconds).await?;
            }
        }
        Ok(none_left)
    }

    async fn remove_job(
        &self,
        job: &JobName,
        epoch: Option<Epoch>,
    ) -> Result<JobRemoval, KubeError> {
        let (jobs, name) = (self.jobs(&job.namespace), job.name());
        loop {
            let metadata = jobs
                .get_metadata_opt(&name)
                .await
                .map_err(|e| KubeError::from_api("looking for the Job", &e))?;
            let Some(metadata) = metadata else {
                return Ok(JobRemoval::Gone);
            };
            if !self.installation().may_touch(&metadata) {
                return Ok(JobRemoval::Foreign);
            }
            if let (Some(epoch), Some(current)) = (epoch, lease_epoch(&metadata))
                && current > epoch
            {
                return Err(KubeError::Superseded);
            }
            // The resource version makes this a compare-and-swap with an adoption. The pods are orphaned and deleted
            // here, with their own grace: the garbage collector's would be longer, and a node that has begun to wait
            // does not wait less. If this worker dies in between, the Secret is still there and leads the sweep to the
            // pods.
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    resource_version: metadata.resource_version(),
                    uid: metadata.uid(),
                }),
                ..DeleteParams::orphan()
            };
            match jobs.delete(&name, &params).await {
                Err(e) if is_conflict(&e) => {}
                result => {
                    ignore_not_found("removing the Job", result)?;
                    return Ok(JobRemoval::Gone);
                }
            }
        }
    }
}

async fn delete_pod(pods: &Api<Pod>, pod: PodView, grace_seconds: u64) -> Result<(), KubeError> {
    let params = DeleteParams {
        grace_period_seconds: u32::try_from(grace_seconds).ok(),
        preconditions: Some(Preconditions {
            uid: Some(pod.uid),
            resource_version: None,
        }),
        ..DeleteParams::background()
    };
    ignore_not_found("removing the pod", pods.delete(&pod.name, &params).await)
}
