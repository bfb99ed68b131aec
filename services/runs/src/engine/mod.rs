//! The hot path: the scheduler that knows workers, lanes and slots; the dispatcher that leases; the writers that store
//! in batches.
mod change_feed;
mod claim_plan;
mod connections;
mod dispatcher;
mod end_run;
mod grants;
mod log_offsets;
mod log_writer;
mod messages;
mod run_creator;
mod scheduler_state;
mod state;
mod transition_writer;
mod worker_session;

pub(crate) use change_feed::{ChangeFeed, FeedItem, Subscription, with_runs};
pub(crate) use connections::Connections;
pub(crate) use dispatcher::dispatch_loop;
use dispatcher::{leases_made, read_free_slots};
pub(crate) use end_run::EndedRuns;
pub(crate) use grants::{resend_grants, send_takeover_grant};
pub(crate) use log_offsets::LogOffsets;
pub(crate) use log_writer::{MAX_BATCH_APPENDS, write_logs};
pub(crate) use messages::{AppendLog, CreateRuns, Heartbeat, ReplicaNotice};
pub(crate) use run_creator::create_runs;
pub(crate) use scheduler_state::Scheduler;
pub(crate) use state::{Engine, EngineParts, PROCESS_GONE, Queues};
pub(crate) use transition_writer::write_transitions;
pub(crate) use worker_session::WorkerSession;
