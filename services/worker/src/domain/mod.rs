//! The worker's own types: grants, leases, workloads, log items. They know no wire and no executor.
mod backoff;
mod grant;
mod lease;
mod log_item;
mod moment;
mod stored_log;
mod workload;

pub(crate) use backoff::Backoff;
pub(crate) use grant::{Grant, GrantPurpose};
pub(crate) use lease::{LeaseKey, LeaseSignals};
pub use log_item::{LogItem, LogSink, log_channel};
pub use moment::Moment;
pub use stored_log::{InvalidLogPosition, LogPosition, StoredLog};
pub use workload::{Exit, WorkloadEvent, WorkloadId, WorkloadRequest};
