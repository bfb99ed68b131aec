//! Workloads: which one, what it runs, what happens to it, how it ends.
use std::collections::BTreeMap;

use ck8s_types::{Epoch, RunId, RunReason, RunSpec, RunState};
use secrecy::SecretString;
use tokio::sync::watch;

use super::Moment;

use super::StoredLog;

/// The workload of one attempt of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkloadId {
    /// The run.
    pub run_id: RunId,
    /// The attempt, from 1.
    pub attempt: i32,
    /// The slug of the run's project.
    pub project: String,
}

/// A workload to start or to adopt.
pub struct WorkloadRequest {
    /// Which workload.
    pub id: WorkloadId,
    /// The epoch of the lease that it runs under.
    pub epoch: Epoch,
    /// What runs.
    pub spec: RunSpec,
    /// Environment variables besides the spec's own: they describe the run and its trigger.
    pub env: BTreeMap<String, String>,
    /// Environment variables with secret values.
    pub secrets: BTreeMap<String, SecretString>,
    /// When the lease expires; it moves on as the lease is renewed.
    pub lease_expiry: watch::Receiver<Moment>,
    /// What is stored of this attempt's log.
    pub stored_log: StoredLog,
}

/// How a workload ended, or why it did not start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// The run's reason.
    pub reason: RunReason,
    /// The reason as a sentence for people.
    pub message: String,
    /// The exit code, where one is known.
    pub code: Option<i32>,
}

impl Exit {
    /// An exit without an exit code.
    #[must_use]
    pub fn without_code(reason: RunReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            code: None,
        }
    }

    /// Returns the run's state that follows from the reason.
    #[must_use]
    pub fn state(&self) -> RunState {
        match self.reason {
            RunReason::Completed | RunReason::NoChange => RunState::Succeeded,
            RunReason::CanceledByUser | RunReason::Superseded => RunState::Canceled,
            _ => RunState::Failed,
        }
    }
}

/// What happens to a workload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WorkloadEvent {
    /// It runs.
    Running,
    /// It has not started yet. The exit says why, in case it never does.
    StartDelayed(Exit),
    /// Output of it is missing in the log: why, in words.
    LogIncomplete(String),
    /// It ended, and its log has been read. The last event.
    Ended(Exit),
    /// It is about to be taken away, and nobody confirms that it is gone: why, in words.
    EndDelayed(String),
    /// It was taken away, or nobody knows how it ended: the next attempt may succeed. The exit says why, in case there
    /// is none. The last event.
    Lost(Exit),
}
