//! Removing a workload, and knowing that it is gone.
use std::time::Duration;

use ck8s_types::Epoch;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Preconditions},
};

use crate::{
    Cluster, JobName, KubeError,
    error::{code, gone_is_fine},
    name::LEASE_EPOCH,
};

/// The longest that a container gets between SIGTERM and SIGKILL: a canceled run's pod is to be gone within 5 s.
const LONGEST_GRACE: u64 = 2;
/// How soon to look again where the watch brings no news.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Cluster {
    /// Removes the Job and its pods, and returns when no pod of it is left. Safe to repeat; fine if there is nothing.
    /// Under a lease, a Job that a newer one has adopted is left alone.
    ///
    /// # Errors
    /// [`KubeError::Superseded`], or [`KubeError::Unavailable`]: try again.
    pub async fn remove(&self, job: &JobName, lease: Option<Epoch>, grace: Duration) -> Result<(), KubeError> {
        let mut watched = self.watch(job);
        let name = job.name();
        // The Job first, or it would make a new pod.
        self.remove_job(job, lease).await?;
        let pods = Api::<Pod>::namespaced(self.client.clone(), &job.namespace);
        // 0 would remove the pod from the books before it is gone from its node.
        let seconds = grace.as_secs().clamp(1, LONGEST_GRACE);
        let params = DeleteParams {
            grace_period_seconds: u32::try_from(seconds).ok(),
            ..DeleteParams::background()
        };
        let ours = ListParams::default().labels(&job.selector());
        loop {
            watched.mark_unchanged();
            let left = pods.list_metadata(&ours).await.map_err(|e| KubeError::of("looking for pods", &e))?;
            if left.items.is_empty() {
                break;
            }
            if left.items.iter().any(|p| p.metadata.deletion_timestamp.is_none()) {
                let done = pods.delete_collection(&params, &ours).await;
                gone_is_fine("removing the pod", done)?;
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, watched.wait_for(|s| s.pods.is_empty())).await;
        }
        let params = DeleteParams::background();
        gone_is_fine("removing the Secret", self.secrets(&job.namespace).delete(&name, &params).await)?;
        gone_is_fine("removing the NetworkPolicy", self.policies(&job.namespace).delete(&name, &params).await)
    }

    async fn remove_job(&self, job: &JobName, lease: Option<Epoch>) -> Result<(), KubeError> {
        let (jobs, name) = (self.jobs(&job.namespace), job.name());
        loop {
            let found = jobs.get_metadata_opt(&name).await;
            let Some(found) = found.map_err(|e| KubeError::of("looking for the Job", &e))? else {
                return Ok(());
            };
            let held = found.annotations().get(LEASE_EPOCH).and_then(|e| e.parse().ok()).map(Epoch);
            if lease.is_some_and(|lease| held.is_some_and(|held| held > lease)) {
                return Err(KubeError::Superseded);
            }
            // The version makes it a compare-and-swap with an adoption.
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    resource_version: found.resource_version(),
                    uid: found.uid(),
                }),
                ..DeleteParams::background()
            };
            match jobs.delete(&name, &params).await {
                Err(e) if code(&e) == 409 => {}
                done => return gone_is_fine("removing the Job", done),
            }
        }
    }
}
