//! The use cases: each opens its transactions, calls the store and the peers, and takes and returns the types of the
//! domain.
mod append_log;
mod authenticate_run;
mod cancel_run;
mod create_runs;
mod explain_run;
mod label_pools;
mod lease_stream;
mod list_runs;
mod make_run;
mod open_run_secrets;
mod read_log;
mod release_slot;
mod requester;
mod retry_run;
mod slots;
mod start_run;
mod watch_runs;
mod workers;

pub(crate) use append_log::append_log;
pub(crate) use authenticate_run::authenticate_run;
pub(crate) use cancel_run::cancel_run;
pub(crate) use create_runs::create_runs;
pub(crate) use explain_run::explain_run;
pub(crate) use lease_stream::{LeaseConnection, serve_lease_stream};
pub(crate) use list_runs::{filter_sweepable, get_run, list_flow_events, list_runs};
pub(crate) use open_run_secrets::open_run_secrets;
pub(crate) use read_log::{LogRequest, read_log};
pub(crate) use release_slot::{ReleaseRequest, release_slot};
pub(crate) use requester::Requester;
pub(crate) use retry_run::retry_run;
pub(crate) use slots::{list_slots, set_slots};
pub(crate) use start_run::start_run;
pub(crate) use watch_runs::{WatchRequest, WatchUpdate, watch_runs};
pub(crate) use workers::{drain_worker, list_workers};
