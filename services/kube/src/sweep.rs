//! What workers that are gone have left behind.
use std::collections::BTreeSet;

use k8s_openapi::api::{batch::v1::Job, core::v1::Secret, networking::v1::NetworkPolicy};
use kube::{
    Api,
    api::{ListParams, ObjectList, PartialObjectMeta},
};

use crate::{Cluster, JobName, KubeError, name};

/// Something with our label: a Job, or a Secret or NetworkPolicy that lost its Job.
pub type Leftover = JobName;

impl Cluster {
    /// All workloads of which something is in the cluster, whoever made it.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`].
    pub async fn leftovers(&self) -> Result<Vec<Leftover>, KubeError> {
        let ours = ListParams::default().labels(&name::ours());
        let fault = |e: kube::Error| KubeError::of("looking for what is left over", &e);
        let jobs = Api::<Job>::all(self.client.clone());
        let secrets = Api::<Secret>::all(self.client.clone());
        let policies = Api::<NetworkPolicy>::all(self.client.clone());
        let (jobs, secrets, policies) = tokio::try_join!(
            jobs.list_metadata(&ours),
            secrets.list_metadata(&ours),
            policies.list_metadata(&ours)
        )
        .map_err(fault)?;
        let mut found = names(&jobs);
        found.extend(names(&secrets));
        found.extend(names(&policies));
        let mut seen = BTreeSet::new();
        found.retain(|job| seen.insert((job.run, job.attempt)));
        Ok(found)
    }
}

fn names<K: Clone>(list: &ObjectList<PartialObjectMeta<K>>) -> Vec<JobName>
where
    PartialObjectMeta<K>: kube::ResourceExt,
{
    list.items.iter().filter_map(JobName::of).collect()
}
