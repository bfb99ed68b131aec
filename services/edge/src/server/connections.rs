//! The table of open connections: how many there may be, of whom, and which idle ones end for new ones.
use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use ck8s_rpc::rate::subscriber;
use ipnet::IpNet;
use parking_lot::Mutex;

use super::activity::{Activity, HeadBudget};

/// The part of all connections that one address may have.
const ADDRESS_PART: usize = 8;
/// The part of the connections in question that end at once, so that a flood does not have the table searched for each.
const ENDED_PART: usize = 16;

/// The open connections; a clone is the same table.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    table: Arc<Mutex<Table>>,
    heads: Arc<HeadBudget>,
    max_connections: usize,
    trusted_proxies: Arc<[IpNet]>,
}

#[derive(Default, Debug)]
struct Table {
    next_key: u64,
    open: HashMap<u64, Open>,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Open {
    address: IpAddr,
    is_proxy: bool,
    activity: Arc<Activity>,
}

/// The place of one connection, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    table: Arc<Mutex<Table>>,
    key: u64,
    pub(super) activity: Arc<Activity>,
}

impl Connections {
    /// `max_head_bytes` bounds the unfinished heads of all connections.
    pub(super) fn new(
        max_connections: usize,
        max_head_bytes: usize,
        trusted_proxies: &[IpNet],
    ) -> Self {
        Self {
            table: Arc::default(),
            heads: Arc::new(HeadBudget::new(max_head_bytes)),
            max_connections,
            trusted_proxies: trusted_proxies.into(),
        }
    }

    /// Returns a place for a connection from there. Where there is none, the longest idle connections end: those of the
    /// same address if it has its share. None: all are busy.
    pub(super) fn admit(&self, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        let is_proxy = self.trusted_proxies.iter().any(|net| net.contains(&peer));
        let address = subscriber(peer);
        let mut table = self.table.lock();
        let own = table.by_address.get(&address).copied().unwrap_or(0);
        let own_max = (self.max_connections / ADDRESS_PART).max(1);
        if !is_proxy && own >= own_max && table.end_idle(Some(address)) == 0 {
            return None;
        }
        if table.open.len() >= self.max_connections && table.end_idle(None) == 0 {
            return None;
        }
        let activity = Arc::new(Activity::new(self.heads.clone()));
        let key = table.next_key;
        table.next_key += 1;
        let open = Open {
            address,
            is_proxy,
            activity: activity.clone(),
        };
        table.open.insert(key, open);
        *table.by_address.entry(address).or_default() += 1;
        Some(Place {
            table: self.table.clone(),
            key,
            activity,
        })
    }
}

impl Table {
    /// Ends the longest idle connections, of this address or of those that have most, and returns how many. Those of
    /// trusted proxies come last.
    fn end_idle(&mut self, of: Option<IpAddr>) -> usize {
        let considered = |open: &Open| of.is_none_or(|address| open.address == address);
        let mut idle: Vec<((bool, usize, Duration), u64)> = self
            .open
            .iter()
            .filter(|(_, open)| considered(open))
            .filter_map(|(&key, open)| {
                let idle = open.activity.idle()?;
                let of_address = self.by_address.get(&open.address).copied().unwrap_or(0);
                Some(((!open.is_proxy, of_address, idle), key))
            })
            .collect();
        let count = (idle.len() / ENDED_PART).max(1).min(idle.len());
        idle.sort_unstable_by(|one, other| other.cmp(one));
        for &(_, key) in idle.iter().take(count) {
            if let Some(open) = self.remove(key) {
                open.activity.end.cancel();
            }
        }
        metrics::counter!("ck8s_edge_idle_connections_ended_total").increment(count as u64);
        count
    }

    fn remove(&mut self, key: u64) -> Option<Open> {
        let open = self.open.remove(&key)?;
        if let Some(own) = self.by_address.get_mut(&open.address) {
            *own -= 1;
            if *own == 0 {
                self.by_address.remove(&open.address);
            }
        }
        Some(open)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.lock().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    #[test]
    fn an_address_over_its_share_loses_its_own_idle_connections() {
        let connections = Connections::new(16, 0, &[]);
        let others = connections.admit(address(1)).expect("a place");
        let idle = connections.admit(address(2)).expect("a place");
        let busy = connections.admit(address(2)).expect("a place");
        let request = busy.activity.begin();
        let third = connections.admit(address(2)).expect("for the idle one");
        assert!(idle.activity.end.is_cancelled());
        assert!(!busy.activity.end.is_cancelled());
        let other = third.activity.begin();
        assert!(connections.admit(address(2)).is_none(), "all are busy");
        drop((request, other));
        assert!(connections.admit(address(2)).is_some());
        assert!(!others.activity.end.is_cancelled());
    }

    #[test]
    fn a_full_table_ends_those_of_whoever_has_most_and_proxies_last() {
        let proxies = ["10.0.0.0/8".parse().expect("a net")];
        let connections = Connections::new(16, 0, &proxies);
        let proxy: Vec<_> = (0..12)
            .map(|_| connections.admit([10, 0, 0, 1].into()).expect("a place"))
            .collect();
        let one = connections.admit(address(1)).expect("a place");
        let many: Vec<_> = (0..2)
            .map(|_| connections.admit(address(2)).expect("a place"))
            .collect();
        let last = connections.admit(address(3)).expect("a place");
        connections.admit(address(4)).expect("a place for others");
        let ended = |place: &Place| place.activity.end.is_cancelled();
        assert_eq!(many.iter().filter(|place| ended(place)).count(), 1);
        assert!(!ended(&one) && !ended(&last) && !proxy.iter().any(ended));
        drop((proxy, one, many, last));
        assert!(connections.table.lock().open.is_empty());
        assert!(connections.table.lock().by_address.is_empty());
    }
}
