//! The guard: the parent of one workload, a process of its own. It ends the workload when it is told to, when the lease is not renewed in
//! time, and when the worker is gone, by whatever cause. It ends last, when nothing of the workload lives.
use std::{
    collections::VecDeque,
    fs::File,
    io::Write,
    os::fd::{AsFd, BorrowedFd},
    os::unix::process::CommandExt,
    process::{Command as Program, ExitCode, Stdio},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl,
        signal::{SigSet, Signal, kill, killpg},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{Pid, read, setsid},
};

use super::{
    descendants::descendants,
    lock,
    protocol::{Cause, Command, Report, Start},
};

/// How long the worker has for its first line.
const FIRST_LINE: Duration = Duration::from_secs(10);
/// How long somebody else may look at the lock.
const LOCK: Duration = Duration::from_secs(1);
/// How long after SIGTERM, when somebody else than the worker ends the guard.
const OWN_GRACE: Duration = Duration::from_secs(2);
/// How often to look whether what was killed is dead.
const REAP_AGAIN: Duration = Duration::from_millis(5);
/// A line of the worker: a spec of 64 KiB and its secrets, escaped.
const LONGEST_LINE: usize = 16 << 20;

/// What runs as `ck8s process-guard`; nothing for people.
#[must_use]
pub fn process_guard_main() -> ExitCode {
    match guard() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&Report::Failed {
                message: error.to_string(),
            });
            ExitCode::FAILURE
        }
    }
}

fn report(report: &Report) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        // The worker may be gone: then nobody wants to know.
        let _ = std::io::stdout().write_all(&line);
        let _ = std::io::stdout().flush();
    }
}

fn guard() -> Result<(), Errno> {
    // Signals for the worker's group or terminal are not for the guard. Refused where it leads a group: then it has its own already.
    let _ = setsid();
    // Orphans of the workload become the guard's children: none escapes.
    prctl::set_child_subreaper(true)?;
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
    ] {
        signals.add(signal);
    }
    signals.thread_block()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let stdin = std::io::stdin();
    let mut control = Lines {
        fd: stdin.as_fd(),
        buffer: Vec::new(),
        lines: VecDeque::new(),
        ended: false,
    };
    let Some(start) = control.start()? else {
        return Ok(());
    };
    let Some(_held) = hold(&start)? else {
        return Err(Errno::EWOULDBLOCK);
    };
    // Let go of in the meantime: then nothing is to start, and whoever takes the lock next relies on it.
    control.read()?;
    if control.ended {
        return Ok(());
    }
    let deadline = Instant::now() + Duration::from_millis(start.lease_ms);
    match spawn(&start) {
        Ok(pid) => {
            report(&Report::Started { pid: pid.as_raw() });
            let mut watch = Watch {
                pid,
                deadline,
                kill_at: None,
                cause: Cause::Own,
                exit: None,
            };
            watch.run(&mut control, &signals)
        }
        Err(message) => {
            report(&Report::Refused { message });
            Ok(())
        }
    }
}

/// Takes the lock; somebody may be looking at it just now.
fn hold(start: &Start) -> Result<Option<File>, Errno> {
    let until = Instant::now() + LOCK;
    loop {
        match lock::try_take(&start.lock) {
            Ok(None) if Instant::now() < until => std::thread::sleep(REAP_AGAIN),
            Ok(taken) => return Ok(taken),
            Err(error) => return Err(Errno::from_raw(error.raw_os_error().unwrap_or(0))),
        }
    }
}

fn spawn(start: &Start) -> Result<Pid, String> {
    let (program, arguments) = start.command.split_first().ok_or("there is no command")?;
    // Output goes past the guard: its standard error is the log.
    let log = || {
        std::io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| e.to_string())
    };
    let child = Program::new(program)
        .args(arguments)
        .env_clear()
        .envs(&start.env)
        .current_dir(&start.work_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::from(log()?))
        .stderr(Stdio::from(log()?))
        .process_group(0)
        .spawn()
        .map_err(|e| format!("{program:?} cannot be started: {e}"))?;
    i32::try_from(child.id())
        .map(Pid::from_raw)
        .map_err(|e| e.to_string())
}

struct Watch {
    pid: Pid,
    deadline: Instant,
    kill_at: Option<Instant>,
    cause: Cause,
    exit: Option<WaitStatus>,
}

impl Watch {
    fn run(&mut self, control: &mut Lines<'_>, signals: &SignalFd) -> Result<(), Errno> {
        while self.exit.is_none() {
            let now = Instant::now();
            if self.kill_at.is_some_and(|at| at <= now) {
                break;
            }
            if self.deadline <= now {
                self.end(Cause::LeaseExpired, Duration::ZERO);
                break;
            }
            let until = self
                .kill_at
                .map_or(self.deadline, |at| at.min(self.deadline));
            wait(control.wanted(), Some(signals.as_fd()), until - now)?;
            while let Some(signal) = signals.read_signal()? {
                if i32::try_from(signal.ssi_signo) != Ok(Signal::SIGCHLD as i32) {
                    self.end(Cause::WorkerGone, OWN_GRACE);
                }
            }
            self.reap();
            control.read()?;
            while let Some(command) = control.next() {
                match command {
                    Command::Renew(ms) => {
                        self.deadline = Instant::now() + Duration::from_millis(ms);
                    }
                    Command::Stop(ms) => self.end(Cause::Stopped, Duration::from_millis(ms)),
                    Command::Start(_) => {}
                }
            }
            if control.ended {
                self.end(Cause::WorkerGone, Duration::ZERO);
            }
        }
        self.bury();
        self.tell();
        Ok(())
    }

    /// Asks it to end; the first cause stays, the earliest moment to kill wins.
    fn end(&mut self, cause: Cause, grace: Duration) {
        if self.cause == Cause::Own {
            self.cause = cause;
        }
        let at = Instant::now() + grace;
        if self.kill_at.is_none() && !grace.is_zero() {
            let _ = killpg(self.pid, Signal::SIGTERM);
        }
        self.kill_at = Some(self.kill_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Takes note of what has died; whether any child is left.
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

    /// Kills until nothing is left, children of children too.
    fn bury(&mut self) {
        if self.exit.is_none() {
            let _ = killpg(self.pid, Signal::SIGKILL);
        }
        while self.reap() {
            for pid in descendants(Pid::this()) {
                let _ = kill(pid, Signal::SIGKILL);
            }
            std::thread::sleep(REAP_AGAIN);
        }
    }

    fn tell(&self) {
        let (code, signal) = match self.exit {
            Some(WaitStatus::Exited(_, code)) => (Some(code), None),
            Some(WaitStatus::Signaled(_, signal, _)) => (None, Some(signal as i32)),
            _ => (None, None),
        };
        report(&Report::Ended {
            code,
            signal,
            cause: self.cause,
        });
    }
}

/// Waits for the worker's words, a signal, or the time.
fn wait(
    control: Option<BorrowedFd<'_>>,
    signals: Option<BorrowedFd<'_>>,
    time: Duration,
) -> Result<(), Errno> {
    let mut fds: Vec<PollFd<'_>> = [control, signals]
        .into_iter()
        .flatten()
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .collect();
    // Rounded up, so that it does not spin before the moment.
    let time = PollTimeout::try_from(time + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, time) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The worker's lines, read without waiting.
struct Lines<'a> {
    fd: BorrowedFd<'a>,
    buffer: Vec<u8>,
    lines: VecDeque<Command>,
    ended: bool,
}

impl Lines<'_> {
    /// None: the worker is gone already.
    fn start(&mut self) -> Result<Option<Start>, Errno> {
        let until = Instant::now() + FIRST_LINE;
        loop {
            match self.next() {
                Some(Command::Start(start)) => return Ok(Some(start)),
                Some(_) => return Err(Errno::EPROTO),
                None if self.ended || until <= Instant::now() => return Ok(None),
                None => wait(self.wanted(), None, until - Instant::now())?,
            }
            self.read()?;
        }
    }

    fn wanted(&self) -> Option<BorrowedFd<'_>> {
        (!self.ended).then_some(self.fd)
    }

    fn next(&mut self) -> Option<Command> {
        self.lines.pop_front()
    }

    fn read(&mut self) -> Result<(), Errno> {
        let mut chunk = [0; 16 * 1024];
        while !self.ended && self.readable()? {
            match read(self.fd, &mut chunk) {
                Ok(0) => self.ended = true,
                Ok(size) => self.buffer.extend_from_slice(&chunk[..size]),
                Err(Errno::EINTR) => {}
                Err(_) => self.ended = true,
            }
        }
        while let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(command) => self.lines.push_back(command),
                Err(_) => return Err(Errno::EPROTO),
            }
        }
        if self.buffer.len() > LONGEST_LINE {
            return Err(Errno::EMSGSIZE);
        }
        Ok(())
    }

    fn readable(&self) -> Result<bool, Errno> {
        let mut fds = [PollFd::new(self.fd, PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::ZERO) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
