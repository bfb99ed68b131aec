//! The manifests of a project's namespace: what isolates it from the others. Pure.
use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use crate::{
    egress_ceiling::EgressCeiling,
    installation::Installation,
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

/// The name of the policy that denies all traffic but name resolution.
pub(crate) const DEFAULT_POLICY_NAME: &str = "ck8s-default";

/// Denies all traffic of all pods but name resolution. It is the same for all installations: they may share a
/// namespace.
pub(crate) fn default_policy() -> Value {
    let resolvers = json!([
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
    ]);
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": DEFAULT_POLICY_NAME},
        "spec": {
            "podSelector": {}, "policyTypes": ["Ingress", "Egress"],
            "egress": [{"to": resolvers, "ports": dns_ports()}],
        },
    })
}

/// Allows the pods of one installation what its operator says: its server, where a policy can name the address, and the
/// DNS cache of a node.
pub(crate) fn installation_policy(
    installation: Installation,
    server_url: Option<&str>,
    ceiling: &EgressCeiling,
) -> Option<Value> {
    let mut egress = Vec::new();
    if ceiling.excepts(NODE_DNS_CACHE) {
        let cache = json!([{"ipBlock": {"cidr": format!("{NODE_DNS_CACHE}/32")}}]);
        egress.push(json!({"to": cache, "ports": dns_ports()}));
    }
    egress.extend(server_url.and_then(server_egress));
    if egress.is_empty() {
        return None;
    }
    let mut labels = json!({});
    installation.mark(&mut labels);
    Some(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": installation_policy_name(installation), "labels": labels},
        "spec": {"podSelector": {"matchLabels": labels}, "policyTypes": ["Egress"], "egress": egress},
    }))
}

fn installation_policy_name(installation: Installation) -> String {
    match installation {
        Installation::Named(id) => format!("ck8s-server-{}", id.uuid().simple()),
        Installation::Unknown | Installation::Unnamed => "ck8s-server".to_owned(),
    }
}

fn dns_ports() -> Value {
    json!([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}])
}

/// Returns the egress rule for an address, or for the name of a Service (`<service>.<namespace>.svc`: every pod and
/// port of that namespace). None for other names.
pub(crate) fn server_egress(url: &str) -> Option<Value> {
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
    use ck8s_types::InstallationId;

    use super::*;

    #[test]
    fn a_dns_cache_on_the_node_is_reached_where_the_operator_says_so() {
        let installation = Installation::Named(InstallationId::new());
        assert!(!default_policy().to_string().contains("169.254."));
        let policy = installation_policy(installation, None, &EgressCeiling::default());
        assert_eq!(policy, None);
        let exception = "169.254.20.10/32".parse().expect("a range");
        let ceiling = EgressCeiling::with_exceptions(vec![exception]).expect("fits");
        let policy = installation_policy(installation, None, &ceiling).expect("is there");
        let rule = &policy["spec"]["egress"][0];
        assert_eq!(rule["to"][0]["ipBlock"]["cidr"], "169.254.20.10/32");
        assert_eq!(rule["ports"][0]["port"], 53);
    }

    #[test]
    fn installations_in_one_namespace_do_not_write_each_others_policies() {
        let policy = |id| {
            let url = Some("http://10.244.0.1:8080");
            let installation = Installation::Named(id);
            installation_policy(installation, url, &EgressCeiling::default()).expect("is there")
        };
        let (one, other) = (InstallationId::new(), InstallationId::new());
        assert_ne!(
            policy(one)["metadata"]["name"],
            policy(other)["metadata"]["name"]
        );
        let selected = &policy(one)["spec"]["podSelector"]["matchLabels"];
        assert_eq!(selected["ck8s.io/installation"], one.to_string());
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
