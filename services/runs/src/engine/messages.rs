//! What calls hand to the writers and tasks.
use ck8s_db::request_ids::RequestKey;
use ck8s_types::{InstanceId, ProjectId, RunId, WorkerId};
use tokio::sync::oneshot;

use crate::{
    domain::{NewLogChunk, NewRun, QueuedRun, StreamId},
    error::RunsError,
};

/// Runs to make, and who waits for them.
pub(crate) struct CreateRuns {
    pub runs: Vec<NewRun>,
    /// The call on whose behalf they are made, if it may be repeated.
    pub request: Option<RequestKey>,
    /// Gets, for each run in order, its id or why it was not made.
    pub reply: oneshot::Sender<Vec<Result<RunId, RunsError>>>,
}

/// Pieces of logs to store, and who waits for them.
pub(crate) struct AppendLog {
    pub chunks: Vec<NewLogChunk>,
    /// Gets how many of them were stored.
    pub reply: oneshot::Sender<Result<usize, RunsError>>,
}

/// A worker's heartbeat: all its leases live longer.
pub(crate) struct Heartbeat {
    pub worker: WorkerId,
    pub instance: InstanceId,
    /// The stream that it came on.
    pub stream: StreamId,
    pub sequence: i64,
}

/// Something that another replica may want to know.
#[derive(Debug)]
pub(crate) enum ReplicaNotice {
    /// A run waits.
    RunQueued(QueuedRun),
    /// A slot of the project is free.
    SlotFreed(ProjectId),
    /// The project's number of slots changed.
    SlotsChanged(ProjectId),
    /// A worker elsewhere has to stop something.
    Cancel(WorkerId),
    /// Flow events were written.
    EventsWritten,
}
