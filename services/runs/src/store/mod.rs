//! All SQL of the service. Rows stay private; functions take a connection, so that the caller decides what is one
//! transaction.
pub(crate) mod claim;
mod decode;
pub(crate) mod events;
pub(crate) mod groups;
pub(crate) mod installation;
pub(crate) mod label_pools;
pub(crate) mod lease_returns;
pub(crate) mod leases;
pub(crate) mod logs;
pub(crate) mod maintenance;
pub(crate) mod new_runs;
pub(crate) mod replicas;
pub(crate) mod request_ids;
pub(crate) mod run_end;
pub(crate) mod runs;
pub(crate) mod slots;
pub(crate) mod transitions;
pub(crate) mod waits;
pub(crate) mod workers;

#[cfg(test)]
mod tests;
