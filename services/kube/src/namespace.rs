//! A project's namespace, with everything that isolates it from the others. What somebody removed of it is made again
//! before the next start.
use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::{Api, runtime::wait::await_condition};

use crate::{
    apply::Conflict,
    cluster::Cluster,
    error::KubeError,
    namespace_manifests::{
        QUOTA_NAME, default_policy, installation_policy, limit_range, namespace, quota,
        service_account,
    },
};

/// Bounds the wait for the quota's controller. A quota refuses every pod until it was counted; after this the pod's own
/// failure says so.
const QUOTA_TIMEOUT: Duration = Duration::from_secs(5);

impl Cluster {
    /// Makes sure that a namespace and what belongs to it exist and are as they should be. Starts that come together
    /// share the work.
    pub(crate) async fn ensure_namespace(&self, name: &str) -> Result<(), KubeError> {
        self.ready_namespaces
            .try_get_with_by_ref(name, self.make_namespace(name))
            .await
            .map_err(|error| KubeError::clone(&error))
    }

    async fn make_namespace(&self, name: &str) -> Result<(), KubeError> {
        self.apply(None, &namespace(name), Conflict::Overwrite)
            .await?;
        let mut parts = vec![
            (default_policy(), Conflict::Overwrite),
            (quota(), Conflict::Keep),
            (limit_range(), Conflict::Keep),
        ];
        let policy = installation_policy(
            self.installation(),
            self.server_url.as_deref(),
            &self.egress_ceiling,
        );
        parts.extend(policy.map(|policy| (policy, Conflict::Overwrite)));
        let apply = parts
            .iter()
            .map(|(manifest, conflict)| self.apply(Some(name), manifest, *conflict));
        try_join_all(apply).await?;
        self.service_accounts
            .try_get_with_by_ref(name, self.restore_service_account(name))
            .await
            .map_err(|error| KubeError::clone(&error))?;
        self.until_quota_is_counted(name).await
    }

    /// Makes the service account of a namespace's pods. It isolates nothing, since it has no rights, so it is made
    /// once; without it no pod is created, and Kubernetes says so.
    ///
    /// # Errors
    /// [`KubeError::Unavailable`].
    pub async fn restore_service_account(&self, namespace: &str) -> Result<(), KubeError> {
        self.apply(Some(namespace), &service_account(), Conflict::Overwrite)
            .await
    }

    async fn until_quota_is_counted(&self, name: &str) -> Result<(), KubeError> {
        let is_counted = |quota: Option<&ResourceQuota>| {
            quota
                .and_then(|q| q.status.as_ref())
                .is_some_and(|s| s.used.is_some())
        };
        let quotas = Api::<ResourceQuota>::namespaced(self.client.clone(), name);
        let quota = quotas
            .get_opt(QUOTA_NAME)
            .await
            .map_err(|e| KubeError::from_api("reading the quota", &e))?;
        if is_counted(quota.as_ref()) {
            return Ok(());
        }
        let counted = await_condition(quotas, QUOTA_NAME, is_counted);
        if tokio::time::timeout(QUOTA_TIMEOUT, counted).await.is_err() {
            tracing::warn!(namespace = name, "the quota was not counted in time");
        }
        Ok(())
    }
}
