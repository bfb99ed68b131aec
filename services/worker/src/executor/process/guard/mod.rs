//! The guard: a process of its own, and the parent of one workload. It ends the workload when it is told to, when the
//! lease is not renewed in time, and when the worker is gone, whatever the cause. It ends last, when no process of the
//! workload lives.
mod command_reader;
mod poll;
mod supervisor;

use std::{
    fs::File,
    io::Write,
    os::fd::AsFd,
    os::unix::process::CommandExt,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::{Pid, setsid},
};

use self::{command_reader::CommandReader, supervisor::Supervisor};
use super::{
    lock::try_lock,
    protocol::{GuardReport, StartCommand},
};
use crate::domain::Moment;

/// Bounds the wait for the lock: somebody may be checking it just now.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// How soon to try the lock again.
const LOCK_INTERVAL: Duration = Duration::from_millis(5);

/// Runs as `ck8s process-guard`; it is not for people.
#[must_use]
pub fn process_guard_main() -> ExitCode {
    match guard() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&GuardReport::Failed {
                message: error.to_string(),
            });
            ExitCode::FAILURE
        }
    }
}

fn report(report: &GuardReport) {
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        // If the worker is gone, nobody reads the report.
        let _ = std::io::stdout().write_all(&line);
        let _ = std::io::stdout().flush();
    }
}

fn guard() -> Result<(), Errno> {
    // Signals to the worker's group or terminal are not for the guard. A guard that leads a group cannot leave it, and
    // need not.
    let _ = setsid();
    // Orphans of the workload become the guard's children, so that none escapes.
    prctl::set_child_subreaper(true)?;
    let blocked = handled_signals();
    blocked.thread_block()?;
    let signals = SignalFd::with_flags(&blocked, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let stdin = std::io::stdin();
    let mut commands = CommandReader::new(stdin.as_fd());
    let Some(start) = commands.wait_for_start()? else {
        return Ok(());
    };
    let Some(_lock) = lock_workload(&start)? else {
        return Err(Errno::EWOULDBLOCK);
    };
    // If the worker has gone meanwhile, nothing may start: whoever takes the lock next relies on that.
    commands.read()?;
    if commands.has_ended() {
        return Ok(());
    }
    let deadline = Moment::now() + Duration::from_millis(start.lease_ms);
    match spawn_unblocked(&start)? {
        Ok(pid) => {
            report(&GuardReport::Started { pid: pid.as_raw() });
            let end = Supervisor::new(pid, deadline).run(&mut commands, &signals)?;
            report(&end);
        }
        Err(message) => report(&GuardReport::Refused { message }),
    }
    Ok(())
}

/// Returns the signals that the guard blocks and reads from a descriptor.
fn handled_signals() -> SigSet {
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
    ] {
        signals.add(signal);
    }
    signals
}

/// Starts the workload with no signal blocked, since it inherits the mask of the thread that starts it. A signal that
/// ends the guard in this moment leaves the workload to the worker, which ends it then.
fn spawn_unblocked(start: &StartCommand) -> Result<Result<Pid, String>, Errno> {
    SigSet::empty().thread_set_mask()?;
    let spawned = spawn_workload(start);
    handled_signals().thread_block()?;
    Ok(spawned)
}

/// Takes the workload's lock. None: another guard holds it.
fn lock_workload(start: &StartCommand) -> Result<Option<File>, Errno> {
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        match try_lock(&start.lock) {
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOCK_INTERVAL),
            Ok(lock) => return Ok(lock),
            Err(error) => return Err(Errno::from_raw(error.raw_os_error().unwrap_or(0))),
        }
    }
}

fn spawn_workload(start: &StartCommand) -> Result<Pid, String> {
    let (program, arguments) = start.command.split_first().ok_or("there is no command")?;
    // The workload writes to the guard's standard error, which is the log.
    let log = || {
        std::io::stderr()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| e.to_string())
    };
    let child = Command::new(program)
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
