//! Starting and taking over a workload.
use ck8s_types::Epoch;
use k8s_openapi::api::{batch::v1::Job, core::v1::Secret, networking::v1::NetworkPolicy};
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{
    Cluster, JobName, KubeError, WorkloadSpec,
    error::{code, gone_is_fine},
    name::{self, LEASE_EPOCH, LOG_START, MANAGER},
};

/// How a start went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Started {
    /// The Job was made.
    Created,
    /// It was there already.
    Adopted,
}

impl Cluster {
    pub(crate) fn jobs(&self, namespace: &str) -> Api<Job> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) fn secrets(&self, namespace: &str) -> Api<Secret> {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) fn policies(&self, namespace: &str) -> Api<NetworkPolicy> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Makes the workload's Secret, its NetworkPolicy and its Job. A Job that is there already is adopted. Before a second attempt,
    /// what is left of earlier ones is removed: there is one workload for a run.
    ///
    /// # Errors
    /// [`KubeError::Refused`] ends the run; [`KubeError::Superseded`] if a newer lease holds the Job.
    pub async fn start(&self, workload: &WorkloadSpec) -> Result<Started, KubeError> {
        let policy = workload.network_policy()?;
        let manifest: Job = serde_json::from_value(workload.manifest())
            .map_err(|e| KubeError::config(format!("the Job cannot be described: {e}")))?;
        let namespace = workload.job.namespace.as_str();
        self.ensure_namespace(namespace).await?;
        if workload.job.attempt > 1 {
            self.remove_earlier(&workload.job).await?;
        }
        self.apply(Some(namespace), &workload.secret(), true)
            .await
            .inspect_err(|_| self.forget_namespace(namespace))?;
        if let Some(policy) = &policy {
            self.apply(Some(namespace), policy, true).await?;
        }
        match self
            .jobs(namespace)
            .create(&PostParams::default(), &manifest)
            .await
        {
            Ok(job) => {
                self.own(&workload.job, &job, policy.is_some()).await;
                Ok(Started::Created)
            }
            Err(e) if code(&e) == 409 => match self.adopt(&workload.job, workload.epoch).await? {
                true => Ok(Started::Adopted),
                false => Err(KubeError::Unavailable(
                    "the Job is being removed".to_owned(),
                )),
            },
            Err(e) => Err(KubeError::of("creating the Job", &e)),
        }
    }

    /// Takes over a workload: whether there is one. Its Job then carries the new lease's epoch.
    ///
    /// # Errors
    /// [`KubeError::Superseded`] if a newer lease holds it.
    pub async fn adopt(&self, job: &JobName, epoch: Epoch) -> Result<bool, KubeError> {
        let jobs = self.jobs(&job.namespace);
        loop {
            let found = jobs
                .get_metadata_opt(&job.name())
                .await
                .map_err(|e| KubeError::of("looking for the Job", &e))?;
            let Some(found) = found.filter(|f| f.metadata.deletion_timestamp.is_none()) else {
                return Ok(false);
            };
            let held = found
                .annotations()
                .get(LEASE_EPOCH)
                .and_then(|e| e.parse().ok());
            match held.map(Epoch) {
                Some(held) if held > epoch => return Err(KubeError::Superseded),
                Some(held) if held == epoch => return Ok(true),
                _ => {}
            }
            // The version makes it a compare-and-swap: of two workers, one adopts.
            let patch = json!({"metadata": {
                "resourceVersion": found.resource_version(),
                "annotations": {LEASE_EPOCH: epoch.to_string()},
            }});
            match jobs
                .patch_metadata(&job.name(), &PatchParams::default(), &Patch::Merge(&patch))
                .await
            {
                Ok(_) => return Ok(true),
                Err(e) if code(&e) == 409 || code(&e) == 404 => {}
                Err(e) => return Err(KubeError::of("adopting the Job", &e)),
            }
        }
    }

    /// The place in the stored log at which the workload's output begins, if it was noted.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`].
    pub async fn log_start(&self, job: &JobName) -> Result<Option<u64>, KubeError> {
        let found = self
            .jobs(&job.namespace)
            .get_metadata_opt(&job.name())
            .await
            .map_err(|e| KubeError::of("looking for the Job", &e))?;
        Ok(found.and_then(|f| f.annotations().get(LOG_START)?.parse().ok()))
    }

    /// Notes that place, before the first output is stored: whoever adopts the workload goes on from there.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`].
    pub async fn set_log_start(&self, job: &JobName, offset: u64) -> Result<(), KubeError> {
        let patch = json!({"metadata": {"annotations": {LOG_START: offset.to_string()}}});
        self.jobs(&job.namespace)
            .patch_metadata(&job.name(), &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .map(|_| ())
            .map_err(|e| KubeError::of("noting where the log begins", &e))
    }

    /// Makes the Job the owner of what it needs. If that fails, the sweeper removes them later.
    async fn own(&self, name: &JobName, job: &Job, policy: bool) {
        let owner = json!({"metadata": {"ownerReferences": [{
            "apiVersion": "batch/v1", "kind": "Job", "name": job.name_any(), "uid": job.uid(),
        }]}});
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(&owner);
        let (secrets, policies) = (
            self.secrets(&name.namespace),
            self.policies(&name.namespace),
        );
        let job_name = name.name();
        let secret = secrets.patch_metadata(&job_name, &params, &patch);
        let done = if policy {
            let policy = policies.patch_metadata(&job_name, &params, &patch);
            let (secret, policy) = tokio::join!(secret, policy);
            secret.map(|_| ()).and(policy.map(|_| ()))
        } else {
            secret.await.map(|_| ())
        };
        if let Err(error) = gone_is_fine("owning the Secret", done) {
            tracing::warn!(job = %name, %error, "the Job does not own what it needs");
        }
    }

    async fn remove_earlier(&self, job: &JobName) -> Result<(), KubeError> {
        let selector = format!("{},{}={}", name::ours(), name::RUN_ID, job.run);
        let found = self
            .jobs(&job.namespace)
            .list_metadata(&ListParams::default().labels(&selector))
            .await
            .map_err(|e| KubeError::of("looking for earlier attempts", &e))?;
        for earlier in found
            .items
            .iter()
            .filter_map(JobName::of)
            .filter(|e| e.attempt < job.attempt)
        {
            self.remove(&earlier, None, std::time::Duration::ZERO)
                .await?;
        }
        Ok(())
    }
}
