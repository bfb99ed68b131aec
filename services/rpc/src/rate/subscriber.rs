//! Whom an address stands for.
use std::net::{IpAddr, Ipv6Addr};

/// Returns the address that stands for a subscriber: who has one IPv6 address has 2^64 of them.
#[must_use]
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            Ipv6Addr::from(octets).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
