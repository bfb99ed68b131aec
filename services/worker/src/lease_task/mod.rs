//! The task of one lease: it starts or adopts the workload, follows it to its end, and reports what happens.
mod handle;
mod launch;
mod lifecycle;
mod live_workload;

pub(crate) use lifecycle::LeaseTask;
