//! The protocol between a worker and a guard: lines of JSON over the guard's standard input and output.
use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// The argument that makes the program a guard.
pub(super) const GUARD_ARGUMENT: &str = "process-guard";

/// From the worker to the guard. The first command is `Start`. The end of the stream means that the worker is gone.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GuardCommand {
    /// Run this workload.
    Start(StartCommand),
    /// The lease lives that many milliseconds from now on.
    Renew(u64),
    /// End the workload: SIGTERM, and SIGKILL after that many milliseconds.
    Stop(u64),
}

/// The workload of a guard. It holds secrets, so it never stands in an argument list.
#[derive(Serialize, Deserialize)]
pub(super) struct StartCommand {
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) work_dir: PathBuf,
    /// The file that the guard locks as long as any process of the workload lives.
    pub(super) lock: PathBuf,
    pub(super) lease_ms: u64,
}

/// From the guard to the worker.
#[derive(Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub(super) enum GuardReport {
    /// The workload runs.
    Started {
        /// The workload's process.
        pid: i32,
    },
    /// The workload cannot be started as it is described.
    Refused {
        /// The reason.
        message: String,
    },
    /// The guard cannot work.
    Failed {
        /// The reason.
        message: String,
    },
    /// All processes of the workload are dead.
    Ended {
        /// The workload's exit code.
        code: Option<i32>,
        /// The signal that ended the workload.
        signal: Option<i32>,
        /// Who ended the workload.
        cause: EndCause,
    },
}

/// Who ended a workload.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum EndCause {
    /// The workload itself.
    Workload,
    /// The worker, by a command.
    StopCommand,
    /// The guard, since the lease was not renewed.
    LeaseExpired,
    /// The guard, since the worker is gone.
    WorkerGone,
}
