//! Workers, as they introduce themselves and as people see them.
use ck8s_types::{InstanceId, WorkerId};
use time::OffsetDateTime;

use super::ExecutorDomain;

/// What a worker says of itself in its Hello.
#[derive(Clone, Debug)]
pub(crate) struct WorkerHello {
    pub id: WorkerId,
    pub instance: InstanceId,
    pub executor: String,
    /// Where its workloads live.
    pub domain: ExecutorDomain,
    pub labels: Vec<String>,
    /// How many leases it can hold.
    pub capacity: i32,
    pub version: String,
}

/// Tells one stream of a worker from its earlier and later ones, within this process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct StreamId(pub u64);

/// What the database says about a worker that has just connected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration {
    /// Somebody has asked that it takes no more work.
    pub draining: bool,
    /// Until when its leases live without a heartbeat.
    pub lease_until: OffsetDateTime,
    /// It is the same process as before on a new stream, and its leases have not expired meanwhile.
    pub resumed: bool,
    /// Until when the leases of another process of this name live: its workloads may live as long. None: there was
    /// none.
    pub predecessor_until: Option<OffsetDateTime>,
}

/// Whether a worker takes work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WorkerState {
    Connected,
    /// It is connected and takes no more work.
    Draining,
    Disconnected,
}

/// A worker, as people see it.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub id: WorkerId,
    pub instance: InstanceId,
    pub executor: String,
    pub labels: Vec<String>,
    pub capacity: i32,
    /// How many leases it holds.
    pub leases: i64,
    pub state: WorkerState,
    pub seen_at: OffsetDateTime,
    pub version: String,
}
