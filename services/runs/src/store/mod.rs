//! All SQL of the service. Rows stay private; functions take a connection, so that the caller decides what is one transaction.
pub mod claim;
pub mod end;
pub mod events;
pub mod groups;
pub mod leases;
pub mod logs;
pub mod new_runs;
pub mod pools;
pub mod runs;
pub mod slots;
pub mod transitions;
pub mod waits;
pub mod workers;
