//! Adopting a workload: its Job then carries the epoch of the new lease.
use ck8s_types::Epoch;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    cluster::Cluster,
    error::{KubeError, is_conflict, is_not_found},
    job_name::JobName,
    labels::LEASE_EPOCH,
};

/// Returns the epoch of the lease that a Job runs under.
pub(crate) fn lease_epoch(job: &impl ResourceExt) -> Option<Epoch> {
    let epoch = job.annotations().get(LEASE_EPOCH)?;
    epoch.parse().ok().map(Epoch)
}

impl Cluster {
    /// Adopts a workload. Returns whether there is one. Another installation's Job is none.
    ///
    /// # Errors
    /// [`KubeError::Superseded`] if a newer lease holds it.
    pub async fn adopt(&self, job: &JobName, epoch: Epoch) -> Result<bool, KubeError> {
        let jobs = self.jobs(&job.namespace);
        loop {
            let metadata = jobs
                .get_metadata_opt(&job.name())
                .await
                .map_err(|e| KubeError::from_api("looking for the Job", &e))?;
            let Some(metadata) = metadata.filter(|m| {
                m.metadata.deletion_timestamp.is_none() && self.installation().may_touch(m)
            }) else {
                return Ok(false);
            };
            match lease_epoch(&metadata) {
                Some(current) if current > epoch => return Err(KubeError::Superseded),
                Some(current) if current == epoch => return Ok(true),
                _ => {}
            }
            // The resource version makes this a compare-and-swap: of two workers, one adopts.
            let patch = json!({"metadata": {
                "resourceVersion": metadata.resource_version(),
                "annotations": {LEASE_EPOCH: epoch.to_string()},
            }});
            match jobs
                .patch_metadata(&job.name(), &PatchParams::default(), &Patch::Merge(&patch))
                .await
            {
                Ok(_) => return Ok(true),
                Err(e) if is_conflict(&e) || is_not_found(&e) => {}
                Err(e) => return Err(KubeError::from_api("adopting the Job", &e)),
            }
        }
    }
}
