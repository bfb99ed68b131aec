//! The states of a run, by the same words as in SQL and proto.
use crate::closed_set::closed_set;

closed_set!(
    /// The state of a run.
    RunState, "run state", {
        /// Waits for a slot and a worker, or for its workload to start.
        Pending = "pending",
        /// Its workload runs.
        Running = "running",
        /// Terminal: its workload succeeded.
        Succeeded = "succeeded",
        /// Terminal: it did not succeed.
        Failed = "failed",
        /// Terminal: somebody, or a newer run, ended it.
        Canceled = "canceled",
    }
);

impl RunState {
    /// Whether the state is final.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_its_value() {
        for state in RunState::ALL {
            assert_eq!(state.as_str().parse::<RunState>().as_ref(), Ok(state));
        }
        assert!("done".parse::<RunState>().is_err());
    }
}
