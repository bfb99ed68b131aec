//! The states and reasons of a run, by the same words as in SQL and proto.
use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::RunId;

/// A word that is not in the closed set.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("unknown {set} {word:?}")]
pub struct UnknownWord {
    /// Which set.
    pub set: &'static str,
    /// The word.
    pub word: String,
}

macro_rules! closed_set {
    ($(#[$doc:meta])* $name:ident, $set:literal, { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All of them, in the contract's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { set: $set, word: word.to_owned() }),
                }
            }
        }
    };
}

closed_set!(
    /// Where a run stands.
    RunState, "run state", {
        /// Waits for a slot and a worker, or for its workload to start.
        Pending = "pending",
        /// Its workload runs.
        Running = "running",
        /// Terminal: it did what it was asked.
        Succeeded = "succeeded",
        /// Terminal: it did not.
        Failed = "failed",
        /// Terminal: somebody or something ended it.
        Canceled = "canceled",
    }
);

impl RunState {
    /// Terminal states never change.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

closed_set!(
    /// Why a terminal run ended as it did.
    RunReason, "run reason", {
        /// Exit code 0.
        Completed = "completed",
        /// Ended well and changed nothing.
        NoChange = "no_change",
        /// Another exit code.
        AgentError = "agent_error",
        /// Ran too long.
        TimedOut = "timed_out",
        /// Waited too long for a slot or a worker.
        Unscheduled = "unscheduled",
        /// Had a slot; the workload did not start in time.
        StartTimedOut = "start_timed_out",
        /// The image cannot be pulled.
        ImagePull = "image_pull",
        /// Used more memory than it may.
        OomKilled = "oom_killed",
        /// The node evicted the pod.
        Evicted = "evicted",
        /// No heartbeat and nobody could take over, on the last attempt.
        WorkerLost = "worker_lost",
        /// Somebody canceled it.
        CanceledByUser = "canceled_by_user",
        /// A newer run of its group took its place.
        Superseded = "superseded",
        /// The project's quota does not allow the pod.
        QuotaDenied = "quota_denied",
        /// No node can take the pod.
        Unschedulable = "unschedulable",
        /// It cannot be started as it is described.
        ConfigError = "config_error",
        /// The workload was removed by somebody else, on the last attempt.
        WorkloadLost = "workload_lost",
    }
);

/// The fencing number of a lease. Over the life of a run it only grows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub i64);

impl Epoch {
    /// The first lease's.
    pub const FIRST: Self = Self(1);

    /// The next lease's.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One lease of a run: what every message that a worker sends about the run carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LeaseRef {
    /// The run.
    pub run_id: RunId,
    /// Which of the run's leases.
    pub epoch: Epoch,
}

impl fmt::Display for LeaseRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.run_id, self.epoch)
    }
}

/// The number of a slot within its project, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(i32);

impl Slot {
    /// The number, for SQL and the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl From<i32> for Slot {
    fn from(number: i32) -> Self {
        Self(number)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_there_and_back() {
        for state in RunState::ALL {
            assert_eq!(state.as_str().parse::<RunState>().as_ref(), Ok(state));
        }
        for reason in RunReason::ALL {
            assert_eq!(reason.as_str().parse::<RunReason>().as_ref(), Ok(reason));
        }
        assert!("done".parse::<RunState>().is_err());
    }
}
