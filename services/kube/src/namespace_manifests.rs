//! The manifests of a project's namespace: what isolates it from the others. Pure.
use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use crate::{
    egress_ceiling::EgressCeiling,
    labels::{MANAGED_BY, MANAGER, SERVICE_ACCOUNT},
};

/// The name of the quota and of the limit range.
pub(crate) const QUOTA_NAME: &str = "ck8s";
/// The level of Pod Security. Servers that do not enforce it only keep the label.
const POD_SECURITY_LEVEL: &str = "restricted";

/// The service account of pods.
pub(crate) fn service_account() -> Value {
    json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": SERVICE_ACCOUNT},
        "automountServiceAccountToken": false,
    })
}

/// The namespace, with the Pod Security level that all its pods must meet.
pub(crate) fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {
            MANAGED_BY: MANAGER,
            "pod-security.kubernetes.io/enforce": POD_SECURITY_LEVEL,
            "pod-security.kubernetes.io/audit": POD_SECURITY_LEVEL,
            "pod-security.kubernetes.io/warn": POD_SECURITY_LEVEL,
        }},
    })
}

/// Bounds what one project takes of the cluster.
pub(crate) fn quota() -> Value {
    json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": QUOTA_NAME},
        "spec": {"hard": {
            "pods": "200", "requests.cpu": "200", "requests.memory": "400Gi",
            "limits.cpu": "200", "limits.memory": "400Gi",
            "services": "0", "persistentvolumeclaims": "0",
        }},
    })
}

/// What a container gets that asks for nothing.
pub(crate) fn limit_range() -> Value {
    json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": QUOTA_NAME},
        "spec": {"limits": [{
            "type": "Container",
            "default": {"cpu": "500m", "memory": "512Mi"},
            "defaultRequest": {"cpu": "500m", "memory": "512Mi"},
        }]},
    })
}

/// The address of a DNS cache on each node, where a cluster has one. It is link-local: runs reach it only where the
/// operator says so.
const NODE_DNS_CACHE: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 20, 10));

/// Denies all traffic but name resolution and, where its address can be named, the server.
pub(crate) fn network_policy(server_url: Option<&str>, ceiling: &EgressCeiling) -> Value {
    let dns = json!([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]);
    let mut resolvers = vec![
        json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}),
    ];
    if ceiling.excepts(NODE_DNS_CACHE) {
        resolvers.push(json!({"ipBlock": {"cidr": format!("{NODE_DNS_CACHE}/32")}}));
    }
    let mut egress = vec![json!({"to": resolvers, "ports": dns})];
    if let Some(url) = server_url {
        match server_egress(url) {
            Some(rule) => egress.push(rule),
            None => tracing::warn!(
                url,
                "a NetworkPolicy cannot name this host, so workloads may not reach it"
            ),
        }
    }
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "ck8s-default"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": egress},
    })
}

/// Returns the egress rule for an address, or for the name of a Service (`<service>.<namespace>.svc`: every pod and
/// port of that namespace). None for other names.
fn server_egress(url: &str) -> Option<Value> {
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
    fn a_dns_cache_on_the_node_is_reached_where_the_operator_says_so() {
        let policy = network_policy(None, &EgressCeiling::default()).to_string();
        assert!(!policy.contains("169.254."), "{policy}");
        let exception = "169.254.20.10/32".parse().expect("a range");
        let ceiling = EgressCeiling::with_exceptions(vec![exception]).expect("fits");
        let policy = network_policy(None, &ceiling);
        let rule = &policy["spec"]["egress"][0];
        assert_eq!(rule["to"][1]["ipBlock"]["cidr"], "169.254.20.10/32");
        assert_eq!(rule["ports"][0]["port"], 53);
    }

    #[test]
    fn the_server_is_allowed_where_a_policy_can_name_it() {
        let rule = server_egress("http://10.244.0.1:8080").expect("an address");
        assert_eq!(rule["to"][0]["ipBlock"]["cidr"], "10.244.0.1/32");
        let rule = server_egress("http://ck8s.platform.svc.cluster.local:80/x").expect("a service");
        assert_eq!(
            rule["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
            "platform"
        );
        assert_eq!(server_egress("https://ck8s.example.com"), None);
    }
}
