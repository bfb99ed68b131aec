//! Turns a run's egress allow-list into rules of a NetworkPolicy. It takes addresses only, since a NetworkPolicy knows
//! no host names.
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::error::KubeError;

/// Returns the rules of an allow-list. Each entry is `CIDR[:port]` or an address; IPv6 with a port stands in brackets:
/// `[2001:db8::/32]:443`.
pub(crate) fn rules(entries: &[String]) -> Result<Vec<Value>, KubeError> {
    entries.iter().map(|entry| rule(entry)).collect()
}

fn rule(entry: &str) -> Result<Value, KubeError> {
    let invalid = || {
        KubeError::config(format!(
            "egress {entry:?}: the kubernetes executor takes only CIDR[:port] such as 10.0.0.0/8:443, since a NetworkPolicy knows no host names"
        ))
    };
    let (range, port) = split(entry).ok_or_else(invalid)?;
    let (address, length) = match range.split_once('/') {
        Some((address, length)) => (address, Some(length.parse::<u8>().map_err(|_| invalid())?)),
        None => (range, None),
    };
    let address: IpAddr = address.parse().map_err(|_| invalid())?;
    let max_length = if address.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(max_length);
    if length > max_length {
        return Err(invalid());
    }
    let mut rule = json!({"to": [{"ipBlock": {"cidr": format!("{address}/{length}")}}]});
    if let Some(port) = port {
        let port: u16 = port.parse().ok().filter(|p| *p > 0).ok_or_else(invalid)?;
        rule["ports"] =
            json!([{"protocol": "TCP", "port": port}, {"protocol": "UDP", "port": port}]);
    }
    Ok(rule)
}

/// Splits an entry into its range and its port.
fn split(entry: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = entry.strip_prefix('[') {
        let (range, port) = rest.split_once(']')?;
        return match port.strip_prefix(':') {
            Some(port) => Some((range, Some(port))),
            None if port.is_empty() => Some((range, None)),
            None => None,
        };
    }
    match entry.matches(':').count() {
        0 => Some((entry, None)),
        1 => entry
            .split_once(':')
            .map(|(range, port)| (range, Some(port))),
        _ => Some((entry, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_rules_and_names_are_refused_in_words() {
        let cidr = |entry: &str| rule(entry).expect("fits")["to"][0]["ipBlock"]["cidr"].clone();
        assert_eq!(cidr("10.0.0.0/8:443"), "10.0.0.0/8");
        assert_eq!(cidr("192.0.2.7"), "192.0.2.7/32");
        assert_eq!(cidr("2001:db8::/32"), "2001:db8::/32");
        assert_eq!(cidr("[2001:db8::1]:443"), "2001:db8::1/128");
        assert_eq!(
            rule("10.0.0.0/8:443").expect("fits")["ports"][0]["port"],
            443
        );
        assert_eq!(rule("10.0.0.0/8").expect("fits").get("ports"), None);
        for bad in [
            "api.github.com:443",
            "10.0.0.0/33",
            "10.0.0.0/8:0",
            "10.0.0.0/8:http",
            "",
        ] {
            let error = rule(bad).expect_err("does not fit").to_string();
            assert!(error.contains("CIDR[:port]"), "{error}");
        }
    }
}
