//! Workloads as child processes of this machine, each under a guard. Not a sandbox: they run as the worker's user.
mod descendants;
mod guard;
mod lock;
mod protocol;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::BytesMut;
use ck8s_types::{Epoch, RunId, RunReason};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command as Program},
    sync::mpsc,
};

use self::protocol::{Cause, Command, Report, Start};
use super::{EVENTS, Ending, Event, Executor, Exit, Order, StartError, Target, Workload};
use crate::log::{LogItem, LogSink};

pub use guard::process_guard_main;

/// What the guard is called with.
const GUARD: &str = "process-guard";
const READ_BYTES: usize = 16 * 1024;
/// How long an earlier workload of the same run may take to die.
const GONE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The process executor.
pub struct ProcessExecutor {
    work_dir: PathBuf,
    guard_program: PathBuf,
    url: Option<String>,
    /// How to reach the guards of this process.
    guards: Arc<Mutex<HashMap<RunId, mpsc::UnboundedSender<Command>>>>,
}

impl ProcessExecutor {
    /// Runs workloads under `work_dir`, guarded by `guard_program`; they are told the server's `url`, if there is one for them.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn new(work_dir: &Path, guard_program: PathBuf, url: Option<String>) -> io::Result<Self> {
        std::fs::create_dir_all(work_dir)?;
        let work_dir = work_dir.canonicalize()?;
        Ok(Self {
            work_dir,
            guard_program,
            url,
            guards: Arc::default(),
        })
    }

    fn guards(&self) -> MutexGuard<'_, HashMap<RunId, mpsc::UnboundedSender<Command>>> {
        self.guards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_file(&self, run: RunId) -> PathBuf {
        self.work_dir.join(format!("{run}.lock"))
    }

    fn run_dir(&self, run: RunId) -> PathBuf {
        self.work_dir.join(run.to_string())
    }

    /// Whether nothing of an earlier workload lives.
    async fn gone(&self, run: RunId, patience: Duration) -> Result<(), StartError> {
        let until = Instant::now() + patience;
        loop {
            match lock::try_take(&self.lock_file(run)) {
                Ok(Some(_)) => return Ok(()),
                Ok(None) if Instant::now() < until => tokio::time::sleep(LOOK_AGAIN).await,
                Ok(None) => {
                    return Err(StartError::Unavailable(
                        "an earlier process of this run still lives".to_owned(),
                    ));
                }
                Err(error) => return Err(unavailable("the lock file cannot be used", &error)),
            }
        }
    }

    fn env(&self, order: &Order, home: &Path) -> BTreeMap<String, String> {
        let path =
            std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
        let mut env = BTreeMap::from([
            ("PATH".to_owned(), path),
            ("HOME".to_owned(), home.display().to_string()),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ]);
        env.extend(order.spec.env.clone());
        env.extend(order.env.clone());
        env.extend(self.url.clone().map(|url| ("CK8S_URL".to_owned(), url)));
        for (name, value) in &order.secrets {
            env.insert(name.clone(), value.expose_secret().to_owned());
        }
        env
    }

    fn spawn_guard(&self) -> Result<Child, StartError> {
        Program::new(&self.guard_program)
            .arg(GUARD)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| unavailable("the guard cannot be started", &e))
    }
}

fn unavailable(what: &str, cause: &dyn std::fmt::Display) -> StartError {
    StartError::Unavailable(format!("{what}: {cause}"))
}

fn config_error(message: String) -> StartError {
    StartError::Refused(Exit {
        reason: RunReason::ConfigError,
        message,
        code: None,
    })
}

#[async_trait]
impl Executor for ProcessExecutor {
    fn outlives_worker(&self) -> bool {
        false
    }

    fn labels(&self) -> Vec<String> {
        Vec::new()
    }

    async fn start(&self, order: &Order, log: &LogSink) -> Result<Workload, StartError> {
        let run = order.target.run;
        if order.spec.command.is_empty() {
            return Err(config_error("There is no command: the process executor takes no image, so the run must name one.".to_owned()));
        }
        self.gone(run, GONE).await?;
        let dir = self.run_dir(run);
        make_dir(&dir)
            .await
            .map_err(|e| unavailable("the work directory cannot be made", &e))?;
        let start = Command::Start(Start {
            command: order.spec.command.clone(),
            env: self.env(order, &dir),
            work_dir: dir,
            lock: self.lock_file(run),
            lease_ms: left(*order.lease.borrow()),
        });
        let mut child = self.spawn_guard()?;
        let broken = || StartError::Unavailable("the guard has no pipes".to_owned());
        let mut stdin = child.stdin.take().ok_or_else(broken)?;
        let stdout = child.stdout.take().ok_or_else(broken)?;
        let stderr = child.stderr.take().ok_or_else(broken)?;
        write(&mut stdin, &start)
            .await
            .map_err(|e| unavailable("the guard does not listen", &e))?;
        let mut reports = BufReader::new(stdout).lines();
        let pid = match next(&mut reports).await {
            Some(Report::Started { pid }) => pid,
            Some(Report::Refused { message }) => {
                return Err(config_error(format!(
                    "The command cannot be started: {message}"
                )));
            }
            Some(Report::Failed { message }) => {
                return Err(unavailable("the guard cannot work", &message));
            }
            Some(Report::Ended { .. }) | None => {
                return Err(StartError::Unavailable("the guard ended early".to_owned()));
            }
        };
        let (commands, inbox) = mpsc::unbounded_channel();
        self.guards().insert(run, commands);
        let (events, receiver) = mpsc::channel(EVENTS);
        let driver = Driver {
            guard: child,
            stdin,
            reports,
            inbox,
            lease: order.lease.clone(),
        };
        let log = log.clone();
        let handle = tokio::spawn(async move { driver.run(stderr, &log, &events).await });
        Ok(Workload::new(
            format!("process:{pid}"),
            receiver,
            Ending::default(),
            handle,
        ))
    }

    async fn adopt(&self, order: &Order, _log: &LogSink) -> Result<Option<Workload>, StartError> {
        // It dies with its worker; that it is dead must be certain.
        self.gone(order.target.run, GONE).await.map(|()| None)
    }

    async fn remove(
        &self,
        target: &Target,
        _lease: Option<Epoch>,
        grace: Duration,
    ) -> Result<(), StartError> {
        if let Some(guard) = self.guards().get(&target.run) {
            // Gone already is as good.
            let _ = guard.send(Command::Stop(millis(grace)));
        }
        self.gone(target.run, grace + GONE).await?;
        self.guards().remove(&target.run);
        let held = lock::try_take(&self.lock_file(target.run));
        let removed = tokio::fs::remove_dir_all(self.run_dir(target.run)).await;
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(run.id = %target.run, %error, "a work directory cannot be removed");
        }
        let _ = tokio::fs::remove_file(self.lock_file(target.run)).await;
        drop(held);
        Ok(())
    }

    async fn leftovers(&self) -> Result<Vec<Target>, StartError> {
        let fault = |e: io::Error| unavailable("the work directory cannot be read", &e);
        let mut entries = tokio::fs::read_dir(&self.work_dir).await.map_err(fault)?;
        let mut found = BTreeSet::new();
        while let Some(entry) = entries.next_entry().await.map_err(fault)? {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            found.extend(
                name.strip_suffix(".lock")
                    .unwrap_or(name)
                    .parse::<RunId>()
                    .ok(),
            );
        }
        let target = |run| Target {
            run,
            attempt: 0,
            project: String::new(),
        };
        Ok(found.into_iter().map(target).collect())
    }
}

async fn make_dir(dir: &Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(dir).await {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    tokio::fs::DirBuilder::new().mode(0o700).create(dir).await
}

fn left(until: Instant) -> u64 {
    millis(until.saturating_duration_since(Instant::now()))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn write(stdin: &mut ChildStdin, command: &Command) -> io::Result<()> {
    let mut line = serde_json::to_vec(command)?;
    line.push(b'\n');
    stdin.write_all(&line).await?;
    stdin.flush().await
}

async fn next(reports: &mut Lines<BufReader<ChildStdout>>) -> Option<Report> {
    let line = reports.next_line().await.ok().flatten()?;
    serde_json::from_str(&line).ok()
}

/// Between one guard and the worker. Dropped, the guard sees its input end, and ends the workload.
struct Driver {
    guard: Child,
    stdin: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    inbox: mpsc::UnboundedReceiver<Command>,
    lease: tokio::sync::watch::Receiver<Instant>,
}

impl Driver {
    async fn run(mut self, stderr: ChildStderr, log: &LogSink, events: &mpsc::Sender<Event>) {
        if events.send(Event::Running).await.is_err() {
            return;
        }
        let last = {
            let output = ship(stderr, log);
            let report = self.guarded();
            let ((), last) = tokio::join!(output, report);
            last
        };
        // Whoever watched may have gone.
        let _ = events.send(last).await;
    }

    /// Tells the guard what it must know until the workload has ended.
    async fn guarded(&mut self) -> Event {
        let session = self.guard.id();
        let report = loop {
            let command = tokio::select! {
                report = next(&mut self.reports) => break report,
                Some(command) = self.inbox.recv() => command,
                Ok(()) = self.lease.changed() => Command::Renew(left(*self.lease.borrow_and_update())),
            };
            // A guard that is gone is seen by the end of its reports.
            let _ = write(&mut self.stdin, &command).await;
        };
        if let Some(Report::Ended {
            code,
            signal,
            cause,
        }) = report
        {
            let _ = self.guard.wait().await;
            return event(code, signal, cause);
        }
        // Somebody has killed the guard: do its work.
        if let Some(session) = session.and_then(|id| i32::try_from(id).ok()) {
            loop {
                let left = descendants::of_session(Pid::from_raw(session));
                if left.is_empty() {
                    break;
                }
                for pid in left {
                    let _ = kill(pid, Signal::SIGKILL);
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        Event::Lost("the process's guard was ended by somebody else".to_owned())
    }
}

fn event(code: Option<i32>, signal: Option<i32>, cause: Cause) -> Event {
    let exit = |reason, message: String| {
        Event::Ended(Exit {
            reason,
            message,
            code,
        })
    };
    match (cause, code, signal) {
        (Cause::LeaseExpired, ..) => {
            Event::Lost("the lease was not renewed in time, so the process was ended".to_owned())
        }
        (Cause::WorkerGone, ..) => {
            Event::Lost("the worker let go of the process, so it was ended".to_owned())
        }
        (Cause::Stopped, ..) => exit(
            RunReason::CanceledByUser,
            "The process was ended as asked.".to_owned(),
        ),
        (Cause::Own, Some(0), _) => exit(
            RunReason::Completed,
            "The workload ended with exit code 0.".to_owned(),
        ),
        (Cause::Own, Some(code), _) => exit(
            RunReason::AgentError,
            format!("The workload ended with exit code {code}."),
        ),
        (Cause::Own, None, Some(signal)) => exit(
            RunReason::AgentError,
            format!("The workload was ended by signal {signal}."),
        ),
        (Cause::Own, None, None) => Event::Lost("nobody knows how the process ended".to_owned()),
    }
}

/// All that the workload and its children write.
async fn ship(mut output: ChildStderr, log: &LogSink) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ_BYTES);
        match output.read_buf(&mut buffer).await {
            Ok(1..) => {
                let data = buffer.split().freeze();
                // A log that nobody takes must not hold up the workload.
                let _ = log.send(LogItem::Output(data)).await;
            }
            Ok(0) => return,
            Err(error) => {
                tracing::warn!(%error, "a workload's output cannot be read");
                return;
            }
        }
    }
}
