//! Why a run waits.
use ck8s_types::{ProjectId, RunId, RunState};

use super::{Run, SlotStatus, default_message};

/// A run's place in the queue.
#[derive(Debug)]
pub(crate) struct QueueEntry {
    pub project: ProjectId,
    pub labels: Vec<String>,
    /// No other run of its concurrency group goes first.
    pub ready: bool,
    pub group: Option<String>,
    /// The number of ready runs of the project that go first.
    pub ahead: i64,
}

/// The connected workers that have all labels of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SuitableWorkers {
    pub connected: i64,
    /// How many of them take work.
    pub taking_work: i64,
    /// How many leases those can hold.
    pub capacity: i64,
    /// How many leases those hold.
    pub leases: i64,
}

/// What kind of thing a run waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum WaitCause {
    Group,
    NoSlot,
    NoWorker,
    WorkersFull,
    Priority,
    Next,
    Takeover,
    Starting,
}

/// One thing that a run waits for.
#[derive(Clone, Debug)]
pub(crate) struct WaitReason {
    pub cause: WaitCause,
    pub message: String,
    /// The slots that are in its way.
    pub slots: Vec<SlotStatus>,
    /// The runs that are in its way.
    pub runs: Vec<RunId>,
}

impl WaitReason {
    /// A reason with nothing to name beside its words.
    pub(crate) fn new(cause: WaitCause, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: message.into(),
            slots: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Names the runs that are in the way.
    pub(crate) fn with_runs(mut self, runs: Vec<RunId>) -> Self {
        self.runs = runs;
        self
    }
}

impl SuitableWorkers {
    /// Returns why none of these workers can take a run with these labels; None: one can.
    pub(crate) fn obstacle(&self, labels: &[String]) -> Option<WaitReason> {
        let which = match labels {
            [] => "connected".to_owned(),
            labels => format!("connected with the labels {}", labels.join(", ")),
        };
        if self.connected == 0 {
            let message = format!("no worker is {which}");
            Some(WaitReason::new(WaitCause::NoWorker, message))
        } else if self.taking_work == 0 {
            let message = format!("every worker that is {which} is draining");
            Some(WaitReason::new(WaitCause::NoWorker, message))
        } else if self.leases >= self.capacity {
            let message = format!(
                "every worker that is {which} is full: {} of {} leases are held",
                self.leases, self.capacity
            );
            Some(WaitReason::new(WaitCause::WorkersFull, message))
        } else {
            None
        }
    }
}

/// Why a run waits, most important first.
#[derive(Clone, Debug)]
pub(crate) struct Explanation {
    pub run: Run,
    pub reasons: Vec<WaitReason>,
    /// The number of ready runs of the project that go first.
    pub ahead: i64,
}

impl Explanation {
    /// Returns all of it in one sentence.
    pub(crate) fn summary(&self) -> String {
        let state: RunState = self.run.state;
        match self.run.reason {
            Some(reason) if self.run.message.is_empty() => {
                format!("{state} ({reason}): {}", default_message(reason))
            }
            Some(reason) => format!("{state} ({reason}): {}", self.run.message),
            None if self.reasons.is_empty() => format!("{state}: it does not wait"),
            None => {
                let messages: Vec<&str> = self.reasons.iter().map(|r| r.message.as_str()).collect();
                let place = if self.ahead > 0 {
                    format!(" (place {} in the project's queue)", self.ahead + 1)
                } else {
                    String::new()
                };
                format!("{state}: {}{place}", messages.join("; "))
            }
        }
    }
}
