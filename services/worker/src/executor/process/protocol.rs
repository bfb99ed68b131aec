//! What a worker and a guard say to each other: lines of JSON over the guard's standard input and output.
use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// From the worker. The first is `Start`. The end of the stream means that the worker is gone.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Command {
    /// Run this.
    Start(Start),
    /// The lease lives that many milliseconds from now on.
    Renew(u64),
    /// End it: SIGTERM, and SIGKILL after that many milliseconds.
    Stop(u64),
}

/// A workload. Never in an argument list: it holds secrets.
#[derive(Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) work_dir: PathBuf,
    /// Held by the guard as long as anything of the workload lives.
    pub(super) lock: PathBuf,
    pub(super) lease_ms: u64,
}

/// From the guard.
#[derive(Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// It runs.
    Started {
        /// Its process.
        pid: i32,
    },
    /// It cannot be started as it is described.
    Refused {
        /// Why.
        message: String,
    },
    /// The guard cannot work.
    Failed {
        /// Why.
        message: String,
    },
    /// All of it is dead.
    Ended {
        /// Its exit code.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// Who ended it.
        cause: Cause,
    },
}

/// Who ended a workload.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cause {
    /// It ended by itself.
    Own,
    /// The worker said so.
    Stopped,
    /// Its lease was not renewed.
    LeaseExpired,
    /// The worker is gone.
    WorkerGone,
}
