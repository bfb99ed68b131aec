//! Lists the workloads of which something is left in the cluster.
use std::collections::BTreeSet;

use k8s_openapi::api::{batch::v1::Job, core::v1::Secret, networking::v1::NetworkPolicy};
use kube::{
    Api, ResourceExt,
    api::{ListParams, ObjectList, PartialObjectMeta},
};

use crate::{cluster::Cluster, error::KubeError, job_name::JobName};

impl Cluster {
    /// Returns all workloads of this installation of which something is in the cluster: a Job, or a Secret or
    /// NetworkPolicy that lost its Job. It does not matter which worker made it. What carries no installation's id is
    /// not among them: it may be another one's.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`].
    pub async fn leftovers(&self) -> Result<Vec<JobName>, KubeError> {
        let Some(selector) = self.installation().selector() else {
            return Ok(Vec::new());
        };
        let managed = ListParams::default().labels(&selector);
        let jobs = Api::<Job>::all(self.client.clone());
        let secrets = Api::<Secret>::all(self.client.clone());
        let policies = Api::<NetworkPolicy>::all(self.client.clone());
        let (jobs, secrets, policies) = tokio::try_join!(
            jobs.list_metadata(&managed),
            secrets.list_metadata(&managed),
            policies.list_metadata(&managed)
        )
        .map_err(|e| KubeError::from_api("listing leftovers", &e))?;
        let mut leftovers = job_names(&jobs);
        leftovers.extend(job_names(&secrets));
        leftovers.extend(job_names(&policies));
        let mut seen = BTreeSet::new();
        leftovers.retain(|job| seen.insert((job.run_id, job.attempt)));
        Ok(leftovers)
    }
}

fn job_names<K: Clone>(list: &ObjectList<PartialObjectMeta<K>>) -> Vec<JobName>
where
    PartialObjectMeta<K>: ResourceExt,
{
    list.items.iter().filter_map(JobName::of).collect()
}
