//! Turns a run's egress allow-list into rules of a NetworkPolicy. It takes addresses only, since a NetworkPolicy knows
//! no host names.
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::{
    egress_ceiling::{EgressCeiling, Reachable},
    error::KubeError,
};

/// Returns the rules of an allow-list. Each entry is `CIDR[:port]` or an address; IPv6 with a port stands in brackets:
/// `[2001:db8::/32]:443`. What is above the ceiling is left out of each; an entry of which nothing is left is refused.
pub(crate) fn rules(entries: &[String], ceiling: &EgressCeiling) -> Result<Vec<Value>, KubeError> {
    entries.iter().map(|entry| rule(entry, ceiling)).collect()
}

fn rule(entry: &str, ceiling: &EgressCeiling) -> Result<Value, KubeError> {
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
    let range = IpNet::new(address, length).map_err(|_| invalid())?;
    let peers = peers(ceiling.limit(range));
    if peers.is_empty() {
        return Err(KubeError::config(format!(
            "egress {entry:?}: no run may reach link-local addresses or a cloud's metadata, unless the worker's operator says so (CK8S_EGRESS_EXCEPTIONS)"
        )));
    }
    let mut rule = json!({"to": peers});
    if let Some(port) = port {
        let port: u16 = port.parse().ok().filter(|p| *p > 0).ok_or_else(invalid)?;
        rule["ports"] =
            json!([{"protocol": "TCP", "port": port}, {"protocol": "UDP", "port": port}]);
    }
    Ok(rule)
}

/// Returns the peers of a rule.
fn peers(reachable: Reachable) -> Vec<Value> {
    let range = reachable.range.map(|(range, except)| {
        let except: Vec<String> = except.iter().map(IpNet::to_string).collect();
        let mut block = json!({"cidr": range.to_string()});
        if !except.is_empty() {
            block["except"] = json!(except);
        }
        json!({"ipBlock": block})
    });
    let exceptions = reachable.exceptions.into_iter();
    let exceptions = exceptions.map(|range| json!({"ipBlock": {"cidr": range.to_string()}}));
    range.into_iter().chain(exceptions).collect()
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

    fn rule(entry: &str) -> Result<Value, KubeError> {
        super::rule(entry, &EgressCeiling::default())
    }

    #[test]
    fn what_is_above_the_ceiling_is_left_out_or_refused_in_words() {
        let everything = rule("0.0.0.0/0:443").expect("fits");
        let block = &everything["to"][0]["ipBlock"];
        assert_eq!(block["cidr"], "0.0.0.0/0");
        let except = block["except"].as_array().expect("exceptions");
        assert!(except.contains(&json!("169.254.0.0/16")), "{except:?}");
        assert!(except.contains(&json!("100.100.100.200/32")), "{except:?}");
        assert!(
            !except
                .iter()
                .any(|range| range.as_str().is_some_and(|r| r.contains(':')))
        );
        let except = &rule("::/0").expect("fits")["to"][0]["ipBlock"]["except"];
        let except = except.as_array().expect("exceptions");
        assert!(except.contains(&json!("fe80::/10")), "{except:?}");
        assert!(except.contains(&json!("fd00:ec2::/32")), "{except:?}");
        assert!(
            except
                .iter()
                .all(|range| range.as_str().is_some_and(|r| r.contains(':')))
        );
        let private = rule("10.0.0.0/8").expect("fits");
        assert_eq!(private["to"][0]["ipBlock"].get("except"), None);
        for entry in [
            "169.254.169.254:80",
            "169.254.0.0/16",
            "[fe80::1]:80",
            "[fd00:ec2::254]:80",
            "[::ffff:169.254.169.254]:80",
            "100.100.100.200",
        ] {
            let error = rule(entry).expect_err(entry).to_string();
            assert!(error.contains("no run may reach"), "{error}");
        }
    }

    #[test]
    fn an_exception_is_a_peer_of_its_own() {
        let exception = "169.254.169.254/32".parse().expect("a range");
        let ceiling = EgressCeiling::with_exceptions(vec![exception]).expect("fits");
        let rule = |entry| super::rule(entry, &ceiling).expect("fits")["to"].clone();
        let only = json!([{"ipBlock": {"cidr": "169.254.169.254/32"}}]);
        assert_eq!(rule("169.254.169.254"), only);
        assert_eq!(rule("169.254.0.0/16"), only);
        assert_eq!(rule("0.0.0.0/0")[1], only[0]);
    }

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
