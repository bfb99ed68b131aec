//! The secret values that a workload was started with.
use kube::api::ListParams;
use secrecy::SecretString;

use crate::{cluster::Cluster, error::KubeError, job_name::JobName};

impl Cluster {
    /// Returns the values in a workload's Secret; none if it is gone.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`].
    pub async fn given_secrets(&self, job: &JobName) -> Result<Vec<SecretString>, KubeError> {
        let secrets = self
            .secrets(&job.namespace)
            .list(&ListParams::default().labels(&job.selector()))
            .await
            .map_err(|e| KubeError::from_api("reading the workload's Secret", &e))?;
        let ours = |secret: &_| self.installation().may_touch(secret);
        let values = secrets
            .items
            .into_iter()
            .filter(ours)
            .flat_map(|secret| secret.data.unwrap_or_default().into_values());
        let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
        Ok(values
            .map(|value| SecretString::from(text(value.0)))
            .collect())
    }
}
