//! What runs by itself beside the hot path: reconcilers that find what was missed, and the exchange with other
//! replicas.
mod expired_leases;
mod feed_reader;
mod group_sweep;
mod lane_sweep;
mod lease_renewal;
mod maintenance;
mod notify_replicas;
mod overdue_runs;
mod reaper;
mod replica_listener;
mod replica_message;
mod slot_sweep;
mod worker_session_sync;

pub(crate) use feed_reader::read_feed;
pub(crate) use lease_renewal::renew_leases;
pub(crate) use maintenance::maintain;
pub(crate) use notify_replicas::notify_replicas;
pub(crate) use reaper::reap_loop;
pub(crate) use replica_listener::listen_to_replicas;
