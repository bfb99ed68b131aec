//! A guard, as the worker sees it: a child process that takes commands and sends reports.
use std::{io, path::Path, process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
};

use super::{
    process_tree::session_members,
    protocol::{GUARD_ARGUMENT, GuardCommand, GuardReport},
};
use crate::{domain::Moment, error::ExecutorError};

/// How soon to check whether killed processes are dead.
const KILL_INTERVAL: Duration = Duration::from_millis(10);

/// A guard. When it is dropped, the guard sees its input end, and ends the workload.
pub(super) struct GuardProcess {
    child: Child,
    stdin: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
}

impl GuardProcess {
    /// Starts a guard. Returns it with what the workload is going to write.
    pub(super) fn spawn(program: &Path) -> Result<(Self, ChildStderr), ExecutorError> {
        let mut child = Command::new(program)
            .arg(GUARD_ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| ExecutorError::unavailable("the guard cannot be started", &e))?;
        let no_pipe = || ExecutorError::Unavailable("the guard has no pipes".to_owned());
        let stdin = child.stdin.take().ok_or_else(no_pipe)?;
        let stdout = child.stdout.take().ok_or_else(no_pipe)?;
        let output = child.stderr.take().ok_or_else(no_pipe)?;
        let reports = BufReader::new(stdout).lines();
        let guard = Self {
            child,
            stdin,
            reports,
        };
        Ok((guard, output))
    }

    /// Sends a command.
    pub(super) async fn send(&mut self, command: &GuardCommand) -> io::Result<()> {
        let mut line = serde_json::to_vec(command)?;
        line.push(b'\n');
        self.stdin.write_all(&line).await?;
        self.stdin.flush().await
    }

    /// Returns the next report; none when the guard is gone. Cancel-safe.
    pub(super) async fn next_report(&mut self) -> Option<GuardReport> {
        let line = self.reports.next_line().await.ok().flatten()?;
        serde_json::from_str(&line).ok()
    }

    /// Ends the workload in place of a guard that is gone. The guard leads the session of its workload.
    pub(super) async fn kill_workload(&self) {
        let Some(session) = self.child.id().and_then(|id| i32::try_from(id).ok()) else {
            return;
        };
        loop {
            let members = session_members(Pid::from_raw(session));
            if members.is_empty() {
                return;
            }
            for pid in members {
                let _ = kill(pid, Signal::SIGKILL);
            }
            tokio::time::sleep(KILL_INTERVAL).await;
        }
    }

    /// Waits until the guard has ended.
    pub(super) async fn wait(&mut self) {
        let _ = self.child.wait().await;
    }
}

/// Returns the milliseconds until a moment, as the protocol has them.
pub(super) fn milliseconds_until(moment: Moment) -> u64 {
    milliseconds(moment.saturating_duration_since(Moment::now()))
}

/// Returns the milliseconds of a time, as the protocol has them.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
