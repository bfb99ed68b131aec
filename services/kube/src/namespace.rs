//! A project's namespace: made once, with all that isolates it from the others.
use std::{
    net::IpAddr,
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures::future::try_join_all;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
    runtime::wait::await_condition,
};
use serde_json::{Value, json};

use crate::{
    Cluster, KubeError,
    error::code,
    name::{MANAGED_BY, MANAGER},
};

/// Whom pods run as towards the API server: nobody; it has no rights and its token is not mounted.
pub(crate) const SERVICE_ACCOUNT: &str = "ck8s-run";
const QUOTA: &str = "ck8s";
/// A quota refuses everything until its controller has counted; longer than this is its own fault to show.
const QUOTA_COUNTED: Duration = Duration::from_secs(5);
/// The level of Pod Security; older servers only keep the label.
const LEVEL: &str = "restricted";

impl Cluster {
    /// Makes sure of the namespace and what belongs to it, once per process.
    pub(crate) async fn ensure_namespace(&self, name: &str) -> Result<(), KubeError> {
        let cell = {
            let mut all = self
                .namespaces
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(name.to_owned()).or_default())
        };
        cell.get_or_try_init(|| self.make_namespace(name))
            .await
            .copied()
    }

    /// Somebody has removed it: the next start makes it again.
    pub(crate) fn forget_namespace(&self, name: &str) {
        let mut all = self
            .namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.remove(name);
    }

    async fn make_namespace(&self, name: &str) -> Result<(), KubeError> {
        self.apply(None, &namespace(name), true).await?;
        let parts = [
            (
                json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": SERVICE_ACCOUNT},
                "automountServiceAccountToken": false}),
                true,
            ),
            (network_policy(self.server_url.as_deref()), true),
            // What an operator has set here stays.
            (quota(), false),
            (limit_range(), false),
        ];
        try_join_all(
            parts
                .iter()
                .map(|(part, force)| self.apply(Some(name), part, *force)),
        )
        .await?;
        let quotas = Api::<ResourceQuota>::namespaced(self.client.clone(), name);
        let counted = await_condition(quotas, QUOTA, |quota: Option<&ResourceQuota>| {
            quota
                .and_then(|q| q.status.as_ref())
                .is_some_and(|s| s.used.is_some())
        });
        if tokio::time::timeout(QUOTA_COUNTED, counted).await.is_err() {
            tracing::warn!(namespace = name, "the quota was not counted in time");
        }
        Ok(())
    }

    /// Server-side apply. Without `force`, what another manager has set stays, and that is fine.
    pub(crate) async fn apply(
        &self,
        namespace: Option<&str>,
        object: &Value,
        force: bool,
    ) -> Result<(), KubeError> {
        let text = |key: &str| object[key].as_str().unwrap_or_default();
        let (version, kind) = (text("apiVersion"), text("kind"));
        let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let params = if force {
            PatchParams::apply(MANAGER).force()
        } else {
            PatchParams::apply(MANAGER)
        };
        // Only metadata comes back: the answer of a Secret would hold its values.
        match api
            .patch_metadata(name, &params, &Patch::Apply(object))
            .await
        {
            Err(e) if code(&e) == 409 && !force => Ok(()),
            Err(e) => Err(KubeError::of(&format!("applying {kind} {name}"), &e)),
            Ok(_) => Ok(()),
        }
    }
}

fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {
            MANAGED_BY: MANAGER,
            "pod-security.kubernetes.io/enforce": LEVEL,
            "pod-security.kubernetes.io/audit": LEVEL,
            "pod-security.kubernetes.io/warn": LEVEL,
        }},
    })
}

fn quota() -> Value {
    json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": QUOTA},
        "spec": {"hard": {
            "pods": "200", "requests.cpu": "200", "requests.memory": "400Gi",
            "limits.cpu": "200", "limits.memory": "400Gi",
            "services": "0", "persistentvolumeclaims": "0",
        }},
    })
}

fn limit_range() -> Value {
    json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": QUOTA},
        "spec": {"limits": [{
            "type": "Container",
            "default": {"cpu": "500m", "memory": "512Mi"},
            "defaultRequest": {"cpu": "500m", "memory": "512Mi"},
        }]},
    })
}

/// Nothing comes in; only names resolve, and the platform is reached where its place can be told.
fn network_policy(server_url: Option<&str>) -> Value {
    let dns = json!([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]);
    let mut egress = vec![json!({
        "to": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
            // where clusters put a name cache on each node
            {"ipBlock": {"cidr": "169.254.20.10/32"}},
        ],
        "ports": dns,
    })];
    if let Some(url) = server_url {
        match platform(url) {
            Some(rule) => egress.push(rule),
            None => tracing::warn!(
                url,
                "a NetworkPolicy cannot name this host: workloads may not reach it"
            ),
        }
    }
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "ck8s-default"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": egress},
    })
}

/// The rule for an address, or for a Service's name `<service>.<namespace>.svc`: any pod and port of that namespace.
fn platform(url: &str) -> Option<Value> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => authority.split(':').next()?,
    };
    if let Ok(address) = host.parse::<IpAddr>() {
        let length = if address.is_ipv4() { 32 } else { 128 };
        return Some(json!({"to": [{"ipBlock": {"cidr": format!("{address}/{length}")}}]}));
    }
    let mut labels = host.split('.').skip(1);
    let namespace = labels.next()?;
    (labels.next()? == "svc").then(|| {
        json!({"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}]})
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_place_is_told_where_it_can_be() {
        let rule = platform("http://10.244.0.1:8080").expect("an address");
        assert_eq!(rule["to"][0]["ipBlock"]["cidr"], "10.244.0.1/32");
        let rule = platform("http://ck8s.platform.svc.cluster.local:80/x").expect("a service");
        assert_eq!(
            rule["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
            "platform"
        );
        assert_eq!(platform("https://ck8s.example.com"), None);
    }
}
