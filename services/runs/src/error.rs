//! What can go wrong, and how each looks on the wire.
use ck8s_rpc::status;
use ck8s_types::{Invalid, RunId, RunState};
use thiserror::Error;
use tonic::Status;

/// What a caller of this service can be told.
#[derive(Debug, Error)]
pub enum RunsError {
    /// No such run.
    #[error("no run {0}")]
    NoRun(RunId),
    /// No such worker.
    #[error("no worker {0:?}")]
    NoWorker(String),
    /// The run has ended.
    #[error("run {0} has ended: {1}")]
    Ended(RunId, RunState),
    /// The run has not ended.
    #[error("run {0} has not ended: {1}")]
    NotEnded(RunId, RunState),
    /// A value cannot be taken.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The lease is not the caller's any more.
    #[error("lease of run {0}: stale epoch")]
    Stale(RunId),
    /// The service stops.
    #[error("the service stops")]
    Stopping,
    /// A peer said no.
    #[error("a peer answered {0}")]
    Peer(#[from] Box<Status>),
    /// The database said no.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// What is stored cannot be read.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
}

impl From<serde_json::Error> for RunsError {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl From<ck8s_types::UnknownWord> for RunsError {
    fn from(error: ck8s_types::UnknownWord) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl From<RunsError> for Status {
    fn from(error: RunsError) -> Self {
        match error {
            RunsError::NoRun(id) => status::not_found("run", id),
            RunsError::NoWorker(id) => status::not_found("worker", id),
            RunsError::Ended(..) => status::precondition("RUN_ENDED", error.to_string()),
            RunsError::NotEnded(..) => status::precondition("RUN_NOT_ENDED", error.to_string()),
            RunsError::Invalid(fault) => ck8s_rpc::convert::invalid(&fault),
            RunsError::Stale(_) => status::aborted("STALE_EPOCH", error.to_string()),
            RunsError::Stopping => status::unavailable("the runs service", &error),
            RunsError::Peer(peer) => status::handed_on(&peer),
            RunsError::Database(cause)
                if ck8s_db::is_unavailable(&cause) || ck8s_db::is_retryable(&cause) =>
            {
                status::unavailable("the database", &cause)
            }
            RunsError::Database(cause) => status::internal(&cause),
            RunsError::Corrupt(_) => status::internal(&error),
        }
    }
}
