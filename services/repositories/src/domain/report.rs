//! Reports of runs to the provider.
use ck8s_types::{RepositoryId, RunId, RunReason, RunState, RunTrigger};
use time::OffsetDateTime;

/// A place in the order of flow events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventCursor {
    pub xact: i64,
    pub seq: i64,
}

/// A report of a run to request.
pub(crate) struct RunReport<'a> {
    pub run: RunId,
    pub repository: RepositoryId,
    /// The trigger that made the run.
    pub trigger: &'a str,
    pub commit: Option<&'a str>,
    /// The number of the issue or pull request.
    pub thread: Option<i64>,
    /// The word of the run's state.
    pub state: &'a str,
}

/// A report that was requested and not made yet.
pub(crate) struct DueReport {
    pub run: RunId,
    pub repository: RepositoryId,
    pub commit: Option<String>,
    pub thread: Option<i64>,
    /// The state to report.
    pub state: String,
    /// The state that was reported last; empty: none yet.
    pub reported: String,
    /// Whether no newer delivery made a run of the same thread.
    pub newest_of_thread: bool,
    /// Whether no newer run of the same trigger is of the same commit.
    pub newest_of_commit: bool,
}

/// A repository with reports that are due, and the credential that they would be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DueRepository {
    pub id: RepositoryId,
    /// When the credential was set: another credential has another time.
    pub credential_set_at: OffsetDateTime,
}

/// A run as the runs service has it.
#[derive(Clone, Debug)]
pub(crate) struct ReportedRun {
    pub id: RunId,
    /// None: no repository made it.
    pub repository: Option<RepositoryId>,
    pub state: RunState,
    pub reason: Option<RunReason>,
    pub trigger: RunTrigger,
    pub started_at: Option<OffsetDateTime>,
    pub finished_at: Option<OffsetDateTime>,
}
