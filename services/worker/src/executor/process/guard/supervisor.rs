//! Watches over the workload's processes, and ends them all.
use std::{os::fd::AsFd, time::Duration};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill, killpg},
        signalfd::SignalFd,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use super::{
    super::{
        process_tree::descendants,
        protocol::{EndCause, GuardCommand, GuardReport},
    },
    command_reader::CommandReader,
    poll::wait_readable,
};
use crate::domain::Moment;

/// The grace of a workload whose guard is ended by somebody else than the worker.
const SIGNAL_GRACE: Duration = Duration::from_secs(2);
/// The longest wait without a look at the clock: what the wait goes by stands still while the machine sleeps.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// How soon to check whether killed processes are dead.
const REAP_INTERVAL: Duration = Duration::from_millis(5);

/// Watches over one workload.
pub(super) struct Supervisor {
    pid: Pid,
    /// When the lease expires.
    deadline: Moment,
    /// When the workload is to be killed, once its end was asked for.
    kill_time: Option<Moment>,
    cause: EndCause,
    exit: Option<WaitStatus>,
}

impl Supervisor {
    /// Watches over the process group of `pid`, under a lease that expires at `deadline`.
    pub(super) fn new(pid: Pid, deadline: Moment) -> Self {
        Self {
            pid,
            deadline,
            kill_time: None,
            cause: EndCause::Workload,
            exit: None,
        }
    }

    /// Returns the last report, when no process of the workload lives.
    pub(super) fn run(
        mut self,
        commands: &mut CommandReader<'_>,
        signals: &SignalFd,
    ) -> Result<GuardReport, Errno> {
        // The workload may have ended before its end raised a signal that the guard reads.
        self.reap();
        while self.exit.is_none() {
            let now = Moment::now();
            if self.kill_time.is_some_and(|time| time <= now) {
                break;
            }
            if self.deadline <= now {
                self.end(EndCause::LeaseExpired, Duration::ZERO);
                break;
            }
            let until = self
                .kill_time
                .map_or(self.deadline, |time| time.min(self.deadline));
            let inputs = commands.input().into_iter().chain([signals.as_fd()]);
            wait_readable(inputs, (until - now).min(MAX_WAIT))?;
            while let Some(signal) = signals.read_signal()? {
                if i32::try_from(signal.ssi_signo) != Ok(Signal::SIGCHLD as i32) {
                    self.end(EndCause::WorkerGone, SIGNAL_GRACE);
                }
            }
            self.reap();
            self.handle_commands(commands)?;
        }
        self.kill_all();
        Ok(self.report())
    }

    fn handle_commands(&mut self, commands: &mut CommandReader<'_>) -> Result<(), Errno> {
        commands.read()?;
        while let Some(command) = commands.next() {
            match command {
                GuardCommand::Renew(ms) => {
                    self.deadline = Moment::now() + Duration::from_millis(ms);
                }
                GuardCommand::Stop(ms) => {
                    self.end(EndCause::StopCommand, Duration::from_millis(ms));
                }
                GuardCommand::Start(_) => {}
            }
        }
        if commands.has_ended() {
            self.end(EndCause::WorkerGone, Duration::ZERO);
        }
        Ok(())
    }

    /// Asks the workload to end. The first cause stays; the earliest moment to kill wins.
    fn end(&mut self, cause: EndCause, grace: Duration) {
        if self.cause == EndCause::Workload {
            self.cause = cause;
        }
        let time = Moment::now() + grace;
        if self.kill_time.is_none() && !grace.is_zero() {
            let _ = killpg(self.pid, Signal::SIGTERM);
        }
        self.kill_time = Some(self.kill_time.map_or(time, |earlier| earlier.min(time)));
    }

    /// Reaps dead children. Returns whether any child is left.
    fn reap(&mut self) -> bool {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => return true,
                Ok(status) if status.pid() == Some(self.pid) => self.exit = Some(status),
                Ok(_) => {}
                Err(Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// Kills all descendants until none is left.
    fn kill_all(&mut self) {
        if self.exit.is_none() {
            let _ = killpg(self.pid, Signal::SIGKILL);
        }
        while self.reap() {
            for pid in descendants(Pid::this()) {
                let _ = kill(pid, Signal::SIGKILL);
            }
            std::thread::sleep(REAP_INTERVAL);
        }
    }

    fn report(&self) -> GuardReport {
        let (code, signal) = match self.exit {
            Some(WaitStatus::Exited(_, code)) => (Some(code), None),
            Some(WaitStatus::Signaled(_, signal, _)) => (None, Some(signal as i32)),
            _ => (None, None),
        };
        GuardReport::Ended {
            code,
            signal,
            cause: self.cause,
        }
    }
}
