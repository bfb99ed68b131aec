//! Agents of runs: what they did, what they used, what they left.
use ck8s_types::{ActivityKind, OutcomeKind, RunId, UsageSource, WorkBranch};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::run::Run;

/// One thing that an agent did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Activity {
    pub place: ActivityPlace,
    pub kind: ActivityKind,
    /// One line.
    pub title: String,
    pub text: String,
    /// By the clock of the workload.
    pub happened_at: OffsetDateTime,
    /// 0: not known.
    pub duration_ms: i64,
    pub exit_code: Option<i32>,
    pub failed: bool,
}

/// Where an activity stands in its run; also the key of a page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ActivityPlace {
    pub attempt: i32,
    /// From 1, in each attempt.
    pub sequence: i64,
}

/// An attempt of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Attempt {
    pub run: RunId,
    /// From 1.
    pub number: i32,
}

/// What an agent used so far in one attempt.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Usage {
    pub input_tokens: i64,
    pub cached_input_tokens: i64,
    pub output_tokens: i64,
    pub reasoning_tokens: i64,
    /// 0: not known.
    pub turns: i32,
    pub cost_usd: Option<f64>,
    pub source: Option<UsageSource>,
    pub cost_estimated: bool,
}

/// What an attempt left behind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct AgentOutcome {
    pub kind: OutcomeKind,
    /// Empty: nothing was pushed.
    pub branch: String,
    pub commit_sha: String,
    pub base_sha: String,
    pub files_changed: i32,
    pub title: String,
    pub summary: String,
}

/// What an agent tells of itself while it works.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct AgentProgress {
    pub activities: Vec<Activity>,
    /// None: nothing new.
    pub usage: Option<Usage>,
    /// Empty: nothing new.
    pub session_id: String,
    /// Empty: nothing new.
    pub model: String,
}

impl AgentProgress {
    /// Whether it tells more than activities.
    pub(crate) fn has_report(&self) -> bool {
        self.usage.is_some() || !self.session_id.is_empty() || !self.model.is_empty()
    }
}

/// What an agent has to do.
#[derive(Clone, Debug)]
pub(crate) struct AgentTask {
    pub run: Run,
    /// Empty: there is no agent.
    pub prompt: String,
    /// The branch that it may push; none: none.
    pub work_branch: Option<WorkBranch>,
}

/// What is known of the agent of one attempt.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct AgentReport {
    pub attempt: i32,
    pub session_id: String,
    pub model: String,
    pub usage: Option<Usage>,
    pub outcome: Option<AgentOutcome>,
    /// How many activities the run has.
    pub activities: i64,
}
