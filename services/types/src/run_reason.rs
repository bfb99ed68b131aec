//! Why a run ended, by the same words as in SQL and proto. docs/adding-a-reason.md lists the places that know a reason.
use crate::closed_set::closed_set;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_its_value() {
        for reason in RunReason::ALL {
            assert_eq!(reason.as_str().parse::<RunReason>().as_ref(), Ok(reason));
        }
    }
}
