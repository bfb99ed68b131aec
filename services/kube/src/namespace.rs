//! A project's namespace: made once, with everything that isolates it from the others.
use std::time::Duration;

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::{Api, runtime::wait::await_condition};

use crate::{
    apply::Conflict,
    cluster::Cluster,
    error::KubeError,
    namespace_manifests::{
        QUOTA_NAME, limit_range, namespace, network_policy, quota, service_account,
    },
};

/// Bounds the wait for the quota's controller. A quota refuses every pod until it was counted; after this the pod's own
/// failure says so.
const QUOTA_TIMEOUT: Duration = Duration::from_secs(5);

impl Cluster {
    /// Makes sure that a namespace and what belongs to it exist, once per process. Callers at the same time share the
    /// work.
    pub(crate) async fn ensure_namespace(&self, name: &str) -> Result<(), KubeError> {
        self.ready_namespaces
            .try_get_with_by_ref(name, self.make_namespace(name))
            .await
            .map_err(|error| KubeError::clone(&error))
    }

    /// Forgets a namespace that somebody may have removed: the next start makes it again.
    pub(crate) async fn forget_namespace(&self, name: &str) {
        self.ready_namespaces.invalidate(name).await;
    }

    async fn make_namespace(&self, name: &str) -> Result<(), KubeError> {
        self.apply(None, &namespace(name), Conflict::Overwrite)
            .await?;
        let parts = [
            (service_account(), Conflict::Overwrite),
            (
                network_policy(self.server_url.as_deref(), &self.egress_ceiling),
                Conflict::Overwrite,
            ),
            (quota(), Conflict::Keep),
            (limit_range(), Conflict::Keep),
        ];
        let apply = parts
            .iter()
            .map(|(manifest, conflict)| self.apply(Some(name), manifest, *conflict));
        try_join_all(apply).await?;
        let quotas = Api::<ResourceQuota>::namespaced(self.client.clone(), name);
        let counted = await_condition(quotas, QUOTA_NAME, |quota: Option<&ResourceQuota>| {
            quota
                .and_then(|q| q.status.as_ref())
                .is_some_and(|s| s.used.is_some())
        });
        if tokio::time::timeout(QUOTA_TIMEOUT, counted).await.is_err() {
            tracing::warn!(namespace = name, "the quota was not counted in time");
        }
        Ok(())
    }
}
