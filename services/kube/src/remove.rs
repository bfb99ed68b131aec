//! Removing a workload, and knowing that it is gone.
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
    Cluster, JobName, KubeError, PodView,
    error::{code, gone_is_fine},
    name::LEASE_EPOCH,
};

/// The longest that a container gets between SIGTERM and SIGKILL: a canceled run's pod is to be gone within 5 s.
const LONGEST_GRACE: u64 = 2;
/// A container that has not started this long after its end was asked for will not: its node looks for that first.
const NEVER_STARTS: Duration = Duration::from_secs(3);
/// How soon to look again where the watch brings no news.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Cluster {
    /// Removes the Job and its pods, and returns when no pod of it is left. Safe to repeat; fine if there is nothing.
    /// Under a lease, a Job that a newer one has adopted is left alone.
    ///
    /// # Errors
    /// [`KubeError::Superseded`], or [`KubeError::Unavailable`]: try again.
    pub async fn remove(
        &self,
        job: &JobName,
        lease: Option<Epoch>,
        grace: Duration,
    ) -> Result<(), KubeError> {
        let mut watched = self.watch(job);
        let name = job.name();
        // The Job first, or it would make a new pod.
        self.remove_job(job, lease).await?;
        let mut asked = HashMap::new();
        loop {
            watched.mark_unchanged();
            if self.remove_pods(job, grace, &mut asked).await? {
                break;
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, watched.changed()).await;
        }
        let params = DeleteParams::background();
        gone_is_fine(
            "removing the Secret",
            self.secrets(&job.namespace).delete(&name, &params).await,
        )?;
        gone_is_fine(
            "removing the NetworkPolicy",
            self.policies(&job.namespace).delete(&name, &params).await,
        )
    }

    /// Asks for the end of each pod, once; whether none is left.
    async fn remove_pods(
        &self,
        job: &JobName,
        grace: Duration,
        asked: &mut HashMap<String, Instant>,
    ) -> Result<bool, KubeError> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), &job.namespace);
        let ours = ListParams::default().labels(&job.selector());
        let left = pods
            .list(&ours)
            .await
            .map_err(|e| KubeError::of("looking for pods", &e))?;
        let mut none_left = true;
        for pod in left.items.iter().map(PodView::of) {
            let since = asked.get(&pod.uid).copied();
            // 0 takes the pod off the books at once: only where its node has said that nothing of it runs, or where it has not started
            // and its node has long been told not to.
            let at_once = pod.dead
                || (pod.unstarted() && since.is_some_and(|at| at.elapsed() >= NEVER_STARTS));
            let seconds = if at_once {
                0
            } else {
                grace.as_secs().clamp(1, LONGEST_GRACE)
            };
            none_left &= at_once;
            if at_once || since.is_none() {
                asked.insert(pod.uid.clone(), Instant::now());
                let params = DeleteParams {
                    grace_period_seconds: u32::try_from(seconds).ok(),
                    preconditions: Some(Preconditions {
                        uid: Some(pod.uid),
                        resource_version: None,
                    }),
                    ..DeleteParams::background()
                };
                gone_is_fine("removing the pod", pods.delete(&pod.name, &params).await)?;
            }
        }
        Ok(none_left)
    }

    async fn remove_job(&self, job: &JobName, lease: Option<Epoch>) -> Result<(), KubeError> {
        let (jobs, name) = (self.jobs(&job.namespace), job.name());
        loop {
            let found = jobs.get_metadata_opt(&name).await;
            let Some(found) = found.map_err(|e| KubeError::of("looking for the Job", &e))? else {
                return Ok(());
            };
            let held = found
                .annotations()
                .get(LEASE_EPOCH)
                .and_then(|e| e.parse().ok())
                .map(Epoch);
            if lease.is_some_and(|lease| held.is_some_and(|held| held > lease)) {
                return Err(KubeError::Superseded);
            }
            // The version makes it a compare-and-swap with an adoption. The pods are removed here, with their own grace: the garbage collector's
            // would be longer, and a node that has begun to wait does not wait less. Should this worker die in between, the Secret is still
            // there and leads the sweeper here.
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    resource_version: found.resource_version(),
                    uid: found.uid(),
                }),
                ..DeleteParams::orphan()
            };
            match jobs.delete(&name, &params).await {
                Err(e) if code(&e) == 409 => {}
                done => return gone_is_fine("removing the Job", done),
            }
        }
    }
}
