//! The annotation that says where the workload's output begins in the stored log.
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{cluster::Cluster, error::KubeError, job_name::JobName, labels::LOG_START};

impl Cluster {
    /// Returns the offset in the stored log at which the workload's output begins; none if it was not recorded.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`].
    pub async fn log_start(&self, job: &JobName) -> Result<Option<u64>, KubeError> {
        let metadata = self
            .jobs(&job.namespace)
            .get_metadata_opt(&job.name())
            .await
            .map_err(|e| KubeError::from_api("looking for the Job", &e))?;
        Ok(metadata.and_then(|m| m.annotations().get(LOG_START)?.parse().ok()))
    }

    /// Records that offset before the first output is stored, so that a worker that adopts the workload goes on from
    /// there.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`].
    pub async fn set_log_start(&self, job: &JobName, offset: u64) -> Result<(), KubeError> {
        let patch = json!({"metadata": {"annotations": {LOG_START: offset.to_string()}}});
        self.jobs(&job.namespace)
            .patch_metadata(&job.name(), &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .map(|_| ())
            .map_err(|e| KubeError::from_api("recording where the log begins", &e))
    }
}
