//! Starting a workload: its Secret, its NetworkPolicy, its Job.
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{
    apply::Conflict,
    cluster::Cluster,
    error::{KubeError, ignore_not_found, is_conflict},
    job_name::JobName,
    labels::MANAGER,
    manifest::WorkloadSpec,
};

/// How a start went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartOutcome {
    /// The Job was created.
    Created,
    /// The Job existed already, and was adopted.
    Adopted,
}

impl Cluster {
    /// Creates the workload's Secret, NetworkPolicy and Job. A Job that exists already is adopted. Before a second
    /// attempt, what is left of earlier ones is removed: a run has one workload.
    ///
    /// # Errors
    /// [`KubeError::Refused`] ends the run; [`KubeError::Superseded`] if a newer lease holds the Job.
    pub async fn start(&self, workload: &WorkloadSpec) -> Result<StartOutcome, KubeError> {
        let installation = self.installation();
        let policy = workload.network_policy(&self.egress_ceiling, installation)?;
        let job: Job = serde_json::from_value(workload.job_manifest(installation))
            .map_err(|e| KubeError::config(format!("the Job cannot be described: {e}")))?;
        let namespace = workload.job.namespace.as_str();
        self.ensure_namespace(namespace).await?;
        if workload.job.attempt > 1 {
            self.remove_earlier_attempts(&workload.job).await?;
        }
        let secret = workload.secret(installation);
        self.apply(Some(namespace), &secret, Conflict::Overwrite)
            .await?;
        if let Some(policy) = &policy {
            self.apply(Some(namespace), policy, Conflict::Overwrite)
                .await?;
        }
        match self
            .jobs(namespace)
            .create(&PostParams::default(), &job)
            .await
        {
            Ok(job) => {
                self.set_owner(&workload.job, &job, policy.is_some()).await;
                Ok(StartOutcome::Created)
            }
            Err(e) if is_conflict(&e) => match self.adopt(&workload.job, workload.epoch).await? {
                true => Ok(StartOutcome::Adopted),
                false => Err(KubeError::Unavailable(
                    "the Job is being removed".to_owned(),
                )),
            },
            Err(e) => Err(KubeError::from_api("creating the Job", &e)),
        }
    }

    /// Makes the Job the owner of its Secret and, if there is one, its NetworkPolicy. If that fails, the sweep removes
    /// them later.
    async fn set_owner(&self, name: &JobName, job: &Job, has_policy: bool) {
        let owner = json!({"metadata": {"ownerReferences": [{
            "apiVersion": "batch/v1", "kind": "Job", "name": job.name_any(), "uid": job.uid(),
        }]}});
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(&owner);
        let job_name = name.name();
        let secrets = self.secrets(&name.namespace);
        let secret = secrets.patch_metadata(&job_name, &params, &patch);
        let policies = self.network_policies(&name.namespace);
        let policy = async {
            if has_policy {
                let patched = policies.patch_metadata(&job_name, &params, &patch);
                patched.await?;
            }
            Ok(())
        };
        let (secret, policy) = tokio::join!(secret, policy);
        if let Err(error) = ignore_not_found("owning the Secret", secret.map(|_| ()).and(policy)) {
            tracing::warn!(job = %name, %error, "the Job does not own its Secret or NetworkPolicy");
        }
    }

    async fn remove_earlier_attempts(&self, job: &JobName) -> Result<(), KubeError> {
        let attempts = ListParams::default().labels(&job.run_selector());
        let jobs = self
            .jobs(&job.namespace)
            .list_metadata(&attempts)
            .await
            .map_err(|e| KubeError::from_api("looking for earlier attempts", &e))?;
        let names = jobs.items.iter().filter_map(JobName::of);
        for earlier in names.filter(|name| name.attempt < job.attempt) {
            self.remove(&earlier, None, Duration::ZERO).await?;
        }
        Ok(())
    }
}
