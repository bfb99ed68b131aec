//! The ceiling of what runs may reach: whatever a services.yaml allows, link-local addresses and those where clouds
//! keep their metadata are out of reach, unless the operator says so. Pure.
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use thiserror::Error;

/// What no run may reach. The IPv6 forms include those that a NAT64 gateway would turn into the IPv4 ones.
const DENIED: [&str; 12] = [
    // Link-local: most clouds' metadata (169.254.169.254), and the node's own services.
    "169.254.0.0/16",
    "fe80::/10",
    "64:ff9b::a9fe:0/112",
    // Metadata of Alibaba Cloud.
    "100.100.100.200/32",
    "64:ff9b::6464:64c8/128",
    // Metadata and agent of Azure's hosts.
    "168.63.129.16/32",
    "64:ff9b::a83f:8110/128",
    // Metadata of Oracle Cloud.
    "192.0.0.192/32",
    "64:ff9b::c000:c0/128",
    // Metadata of AWS, Google Cloud and Scaleway over IPv6.
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "fd00:42::42/128",
];

/// Bounds the exceptions: each may become a rule of every policy.
const MAX_EXCEPTIONS: usize = 100;

/// What runs may reach at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressCeiling {
    exceptions: Vec<IpNet>,
}

/// Why a list of exceptions cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InvalidCeiling {
    /// The range has bits set behind its prefix: it is not clear what is meant.
    #[error("{} has bits behind its prefix: write {}", .0, .0.trunc())]
    HostBits(IpNet),
    /// There are too many exceptions.
    #[error("more than {MAX_EXCEPTIONS} ranges")]
    TooMany,
}

/// What is left of a range under the ceiling.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reachable {
    /// The range, and what of it is out of reach; none: all of it is.
    pub range: Option<(IpNet, Vec<IpNet>)>,
    /// The operator's exceptions within what is out of reach.
    pub exceptions: Vec<IpNet>,
}

impl EgressCeiling {
    /// Makes a ceiling with exceptions: what runs may reach although it is link-local or metadata.
    ///
    /// # Errors
    /// [`InvalidCeiling`] for ranges that are not written as such, or too many of them.
    pub fn with_exceptions(exceptions: Vec<IpNet>) -> Result<Self, InvalidCeiling> {
        if exceptions.len() > MAX_EXCEPTIONS {
            return Err(InvalidCeiling::TooMany);
        }
        match exceptions.iter().find(|range| **range != range.trunc()) {
            Some(range) => Err(InvalidCeiling::HostBits(*range)),
            None => Ok(Self {
                exceptions: exceptions.into_iter().map(unmapped).collect(),
            }),
        }
    }

    /// Whether the operator lets runs reach this address although the ceiling is below it.
    pub(crate) fn excepts(&self, address: IpAddr) -> bool {
        self.exceptions.iter().any(|range| range.contains(&address))
    }

    /// Returns what is left of a range.
    pub(crate) fn limit(&self, range: IpNet) -> Reachable {
        let range = unmapped(range.trunc());
        if self
            .exceptions
            .iter()
            .any(|allowed| allowed.contains(&range))
        {
            return Reachable {
                range: Some((range, Vec::new())),
                exceptions: Vec::new(),
            };
        }
        let allowed = |denied: &IpNet| self.exceptions.iter().any(|a| a.contains(denied));
        let denied: Vec<IpNet> = denied().filter(|denied| !allowed(denied)).collect();
        let within = |outer: &IpNet| {
            let inner = self.exceptions.iter().copied();
            let inner = inner.filter(|exception| outer.contains(exception));
            inner.collect::<Vec<IpNet>>()
        };
        if denied.iter().any(|denied| denied.contains(&range)) {
            return Reachable {
                range: None,
                exceptions: within(&range),
            };
        }
        let mut except = denied;
        except.retain(|denied| range.contains(denied));
        Reachable {
            exceptions: except.iter().flat_map(within).collect(),
            range: Some((range, except)),
        }
    }
}

fn denied() -> impl Iterator<Item = IpNet> {
    DENIED.iter().filter_map(|range| range.parse().ok())
}

/// Returns the IPv4 range that an IPv4-mapped IPv6 range (`::ffff:0:0/96`) stands for: a connection to it is one to
/// IPv4.
fn unmapped(range: IpNet) -> IpNet {
    let IpNet::V6(v6) = range else { return range };
    let mapped = v6.addr().to_ipv4_mapped();
    let length = v6.prefix_len().checked_sub(96);
    match mapped.zip(length) {
        Some((address, length)) => Ipv4Net::new(address, length).map_or(range, IpNet::V4),
        None => range,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a range")
    }

    fn ceiling(exceptions: &[&str]) -> EgressCeiling {
        let exceptions = exceptions.iter().map(|text| net(text)).collect();
        EgressCeiling::with_exceptions(exceptions).expect("fits")
    }

    /// Whether a run that is allowed this range reaches the address.
    fn reaches(ceiling: &EgressCeiling, range: &str, address: &str) -> bool {
        let address: IpAddr = address.parse().expect("an address");
        let left = ceiling.limit(net(range));
        let by_range = left.range.is_some_and(|(range, except)| {
            range.contains(&address) && !except.iter().any(|except| except.contains(&address))
        });
        by_range || left.exceptions.iter().any(|range| range.contains(&address))
    }

    const METADATA: [&str; 11] = [
        "169.254.169.254",
        "169.254.0.1",
        "169.254.255.255",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fe80::1",
        "febf::1",
        "fd00:ec2::254",
        "64:ff9b::a9fe:a9fe",
    ];

    #[test]
    fn every_denied_range_is_one() {
        assert_eq!(denied().count(), DENIED.len());
        assert!(denied().all(|range| range == range.trunc()));
    }

    #[test]
    fn no_range_reaches_what_is_denied() {
        let ceiling = EgressCeiling::default();
        let ranges = [
            "0.0.0.0/0",
            "::/0",
            "0.0.0.0/1",
            "128.0.0.0/1",
            "169.0.0.0/8",
            "169.254.0.0/15",
            "169.254.0.0/16",
            "169.254.169.0/24",
            "169.254.169.254/32",
            "169.254.169.254/0",
            "100.64.0.0/10",
            "100.100.100.200/32",
            "168.63.0.0/16",
            "192.0.0.0/24",
            "fe80::/10",
            "fe80::/9",
            "fe80::1/64",
            "fe80::1/128",
            "fd00::/8",
            "fc00::/7",
            "fd00:ec2::254/128",
            "64:ff9b::/96",
            "64:ff9b::a9fe:a9fe/128",
            "::ffff:169.254.169.254/128",
            "::ffff:169.254.0.0/112",
            "::ffff:0:0/96",
            "::ffff:100.100.100.200/128",
        ];
        for range in ranges {
            for address in METADATA {
                assert!(
                    !reaches(&ceiling, range, address),
                    "{range} reaches {address}"
                );
            }
        }
    }

    #[test]
    fn everything_else_is_reached() {
        let ceiling = EgressCeiling::default();
        for (range, address) in [
            ("0.0.0.0/0", "1.1.1.1"),
            ("0.0.0.0/0", "169.253.255.255"),
            ("0.0.0.0/0", "169.255.0.0"),
            ("10.0.0.0/8", "10.1.2.3"),
            ("::/0", "2606:4700::1111"),
            ("::/0", "fec0::1"),
            ("::ffff:10.0.0.0/104", "10.1.2.3"),
            ("64:ff9b::/96", "64:ff9b::101:101"),
        ] {
            assert!(
                reaches(&ceiling, range, address),
                "{range} misses {address}"
            );
        }
    }

    #[test]
    fn the_operator_says_what_is_reached_all_the_same() {
        let open = ceiling(&["169.254.169.254/32", "fe80::/10"]);
        for range in [
            "0.0.0.0/0",
            "169.254.0.0/16",
            "169.254.169.254/32",
            "::ffff:169.254.169.254/128",
        ] {
            assert!(reaches(&open, range, "169.254.169.254"), "{range}");
            assert!(!reaches(&open, range, "169.254.170.2"), "{range}");
        }
        assert!(
            !reaches(&open, "10.0.0.0/8", "169.254.169.254"),
            "services.yaml does not name it"
        );
        assert!(!reaches(&open, "169.254.1.0/24", "169.254.1.1"));
        assert!(reaches(&open, "fe80::1/128", "fe80::1"));
        assert!(reaches(&open, "::/0", "fe80::1"));
        let open = ceiling(&["0.0.0.0/0"]);
        assert!(reaches(&open, "169.254.0.0/16", "169.254.170.2"));
        assert!(open.excepts("169.254.20.10".parse().expect("an address")));
        assert!(!open.excepts("fe80::1".parse().expect("an address")));
    }

    #[test]
    fn exceptions_are_written_as_ranges() {
        let host_bits = EgressCeiling::with_exceptions(vec![net("169.254.169.254/16")]);
        let error = host_bits.expect_err("is no range").to_string();
        assert!(error.contains("169.254.0.0/16"), "{error}");
        let many = vec![net("10.0.0.0/8"); 101];
        assert_eq!(
            EgressCeiling::with_exceptions(many),
            Err(InvalidCeiling::TooMany)
        );
    }
}
