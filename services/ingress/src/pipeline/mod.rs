//! The hot path: from a webhook to the stored delivery, and from there to its run.
mod envelope;
pub(crate) mod handoff;
pub(crate) mod in_flight;
pub(crate) mod ingest;
mod outcomes;
mod prepare;
#[cfg(feature = "fuzz")]
pub(crate) mod reading;
pub(crate) mod repair_queue;
pub(crate) mod run_creator;
pub(crate) mod run_worker;
mod sender_check;
pub(crate) mod verify;
pub(crate) mod writer;
