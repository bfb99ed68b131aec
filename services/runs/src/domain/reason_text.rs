//! What people are told about the end of a run.
use ck8s_types::{RunReason, RunState};

/// Returns the state that a run gets when the server itself ends it for this reason.
#[must_use]
pub(crate) fn default_state(reason: RunReason) -> RunState {
    match reason {
        RunReason::Completed | RunReason::NoChange => RunState::Succeeded,
        RunReason::CanceledByUser | RunReason::Superseded => RunState::Canceled,
        _ => RunState::Failed,
    }
}

/// Returns what people are told about the end of a run when its worker gave no message.
#[must_use]
pub(crate) fn default_message(reason: RunReason) -> &'static str {
    match reason {
        RunReason::Completed => "ended with exit code 0",
        RunReason::NoChange => "ended well and changed nothing",
        RunReason::AgentError => "the workload ended with an error",
        RunReason::TimedOut => "ran longer than its running timeout",
        RunReason::Unscheduled => {
            "waited longer than its unscheduled timeout for a slot and a worker"
        }
        RunReason::StartTimedOut => "its workload did not start within its pending timeout",
        RunReason::ImagePull => "the image cannot be pulled",
        RunReason::OomKilled => "used more memory than it may",
        RunReason::Evicted => "the node evicted its pod",
        RunReason::WorkerLost => "its worker is gone and nobody could take its workload over",
        RunReason::CanceledByUser => "canceled",
        RunReason::Superseded => "a newer run of its concurrency group took its place",
        RunReason::QuotaDenied => "the project's quota does not allow its pod",
        RunReason::Unschedulable => "no node can take its pod",
        RunReason::ConfigError => "cannot be started as it is described",
        RunReason::WorkloadLost => "its workload vanished",
    }
}
