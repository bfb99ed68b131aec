//! What can go wrong, and the status that callers get for it.
use ck8s_rpc::status;
use ck8s_types::{Invalid, ProjectRole, RequestId, RunId, RunState, Slot, WorkerId};
use thiserror::Error;
use tonic::{Code, Status};

use crate::domain::StreamEnd;

/// Why a call or a stream failed.
#[derive(Debug, Error)]
pub enum RunsError {
    /// There is no such run.
    #[error("no run {0}")]
    NoRun(RunId),
    /// There is no such worker.
    #[error("no worker {0:?}")]
    NoWorker(String),
    /// No lease is on the slot.
    #[error("slot {1} of project {0} is free")]
    SlotFree(String, Slot),
    /// A worker works on the slot's run.
    #[error("worker {1} works on run {0}: cancel the run, and the worker frees its slot")]
    SlotHeld(RunId, WorkerId),
    /// Nobody knows that the workload on the slot is gone.
    #[error(
        "the workload of run {0} in {1} is not known to be gone: look for it there, and free its slot with --force (`force`) \
         if it is"
    )]
    SlotInDoubt(RunId, String),
    /// The run has ended.
    #[error("run {0} has ended: {1}")]
    Ended(RunId, RunState),
    /// The run has not ended.
    #[error("run {0} has not ended: {1}")]
    NotEnded(RunId, RunState),
    /// A value cannot be taken.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The request id was used for another request.
    #[error("request id {0} was used for another request")]
    RequestIdReused(RequestId),
    /// A secret that the run needs is not set.
    #[error("{0}")]
    SecretMissing(String),
    /// Only project admins may have these secrets given to a spec of their own.
    #[error(
        "a run of a spec of your own with secrets takes the project role admin: start one of the repository's triggers, or \
         leave the secrets out"
    )]
    SecretsNeedAdmin(Vec<String>),
    /// The token is not a live run's.
    #[error("no live run has this token")]
    TokenRejected,
    /// Events after this cursor are no longer kept.
    #[error("events after this cursor are no longer kept: list again")]
    CursorTooOld,
    /// The cursor lies after every event: another database gave it out, or this one was set back.
    #[error("this cursor lies after every event: list again")]
    CursorAhead,
    /// Another database gave the cursor out: another cluster, or this one beyond the dump it was restored from.
    #[error("this cursor is another database's: list again")]
    CursorForeign,
    /// The lease is not the caller's any more.
    #[error("lease of run {0}: stale epoch")]
    Stale(RunId),
    /// The server ends a worker's stream.
    #[error("the stream ends: {0:?}")]
    StreamEnded(StreamEnd),
    /// The service stops.
    #[error("the service stops")]
    Stopping,
    /// What came cannot be decoded, or the caller's access does not reach it.
    #[error("refused: {0}")]
    Refused(Box<Status>),
    /// Another service answered with an error.
    #[error("a peer answered {0}")]
    Peer(#[from] Box<Status>),
    /// The database answered with an error, or not at all.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// What is stored cannot be read.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
}

impl RunsError {
    /// A field of a request that cannot be taken.
    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid(Invalid {
            field,
            problem: problem.into(),
        })
    }
}

impl From<Status> for RunsError {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
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
            RunsError::SlotFree(ref project, slot) => status::error(
                Code::FailedPrecondition,
                "SLOT_FREE",
                error.to_string(),
                &[("project", project), ("slot", &slot.to_string())],
            ),
            RunsError::SlotHeld(run, ref worker) => status::error(
                Code::FailedPrecondition,
                "SLOT_HELD",
                error.to_string(),
                &[("run", &run.to_string()), ("worker", worker.as_str())],
            ),
            RunsError::SlotInDoubt(run, ref domain) => status::error(
                Code::FailedPrecondition,
                "SLOT_IN_DOUBT",
                error.to_string(),
                &[("run", &run.to_string()), ("executor_domain", domain)],
            ),
            RunsError::Ended(..) => status::precondition("RUN_ENDED", error.to_string()),
            RunsError::NotEnded(..) => status::precondition("RUN_NOT_ENDED", error.to_string()),
            RunsError::Invalid(fault) => ck8s_rpc::convert::invalid(&fault),
            RunsError::RequestIdReused(id) => status::request_id_reused(id),
            RunsError::SecretMissing(message) => status::precondition("SECRET_MISSING", message),
            RunsError::SecretsNeedAdmin(ref names) => status::error(
                Code::PermissionDenied,
                "SECRETS_NEED_ADMIN",
                error.to_string(),
                &[
                    ("role", ProjectRole::Admin.as_str()),
                    ("secrets", &names.join(", ")),
                ],
            ),
            RunsError::TokenRejected => status::unauthenticated(),
            RunsError::CursorTooOld => {
                status::error(Code::OutOfRange, "CURSOR_TOO_OLD", error.to_string(), &[])
            }
            RunsError::CursorAhead => {
                status::error(Code::OutOfRange, "CURSOR_AHEAD", error.to_string(), &[])
            }
            RunsError::CursorForeign => {
                status::error(Code::OutOfRange, "CURSOR_FOREIGN", error.to_string(), &[])
            }
            RunsError::Stale(_) => status::aborted("STALE_EPOCH", error.to_string()),
            RunsError::StreamEnded(end) => stream_end(end),
            RunsError::Stopping => status::stopping(),
            RunsError::Refused(status) => *status,
            RunsError::Peer(peer) => status::of_peer(&peer),
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

fn stream_end(end: StreamEnd) -> Status {
    match end {
        StreamEnd::Replaced => status::aborted("REPLACED", "this worker holds a newer stream"),
        StreamEnd::Expired => {
            status::aborted("EXPIRED", "no heartbeat came in time: connect again")
        }
        StreamEnd::DatabaseUnavailable => {
            status::unavailable("the database", &"a transition cannot be stored")
        }
    }
}
