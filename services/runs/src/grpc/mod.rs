//! The calls: decode, call the service, encode.
mod create_runs;
mod explain_run;
mod flow_events;
mod lease;
mod lease_frames;
mod logs;
mod request;
mod runs;
mod runs_service;
mod secrets;
mod slots;
mod watch_runs;
mod workers;

pub(crate) use lease::LeaseHandler;
pub(crate) use runs_service::RunsHandler;
