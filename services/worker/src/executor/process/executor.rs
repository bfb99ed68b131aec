//! The process executor: a guard, a directory and a lock file for each workload.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use ck8s_types::{Epoch, InstallationId, RunId, RunReason};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use tokio::{process::ChildStderr, sync::mpsc};

use super::{
    driver::Driver,
    guard_process::{GuardProcess, milliseconds, milliseconds_until},
    lock::try_lock,
    protocol::{GuardCommand, GuardReport, StartCommand},
};
use crate::{
    domain::{Exit, LogSink, WorkloadId, WorkloadRequest},
    error::ExecutorError,
    executor::{
        Executor, Workload,
        workload::{MAX_WAITING_EVENTS, RemovalFlag},
    },
};

/// Bounds the wait for the end of an earlier workload of the same run, beyond its grace.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// How soon to try the lock again.
const LOCK_INTERVAL: Duration = Duration::from_millis(10);
/// Where workloads find programs if the worker has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The process executor.
pub struct ProcessExecutor {
    work_dir: PathBuf,
    guard_program: PathBuf,
    server_url: Option<String>,
    /// The guards of this worker's workloads.
    guards: Mutex<HashMap<RunId, mpsc::UnboundedSender<GuardCommand>>>,
}

/// A guard whose workload runs.
struct StartedGuard {
    guard: GuardProcess,
    output: ChildStderr,
    pid: i32,
}

impl ProcessExecutor {
    /// Runs workloads under `work_dir`, guarded by `guard_program`. They get the server's address as `CK8S_URL`, if
    /// there is one for them.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub fn new(
        work_dir: &Path,
        guard_program: PathBuf,
        server_url: Option<String>,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(work_dir)?;
        Ok(Self {
            work_dir: work_dir.canonicalize()?,
            guard_program,
            server_url,
            guards: Mutex::default(),
        })
    }

    fn lock_file(&self, run_id: RunId) -> PathBuf {
        self.work_dir.join(format!("{run_id}.lock"))
    }

    fn run_dir(&self, run_id: RunId) -> PathBuf {
        self.work_dir.join(run_id.to_string())
    }

    /// Waits until no process of an earlier workload of the run lives.
    async fn wait_until_gone(&self, run_id: RunId, timeout: Duration) -> Result<(), ExecutorError> {
        let deadline = Instant::now() + timeout;
        loop {
            match try_lock(&self.lock_file(run_id)) {
                Ok(Some(_)) => return Ok(()),
                Ok(None) if Instant::now() < deadline => tokio::time::sleep(LOCK_INTERVAL).await,
                Ok(None) => {
                    return Err(ExecutorError::Unavailable(
                        "an earlier process of this run still lives".to_owned(),
                    ));
                }
                Err(error) => {
                    return Err(ExecutorError::unavailable(
                        "the lock file cannot be used",
                        &error,
                    ));
                }
            }
        }
    }

    fn environment(&self, workload: &WorkloadRequest, home: &Path) -> BTreeMap<String, String> {
        let path = std::env::var("PATH").unwrap_or_else(|_| DEFAULT_PATH.to_owned());
        let mut env = BTreeMap::from([
            ("PATH".to_owned(), path),
            ("HOME".to_owned(), home.display().to_string()),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
        ]);
        env.extend(workload.spec.env.clone());
        env.extend(workload.env.clone());
        if let Some(url) = &self.server_url {
            env.insert("CK8S_URL".to_owned(), url.clone());
        }
        for (name, value) in &workload.secrets {
            env.insert(name.clone(), value.expose_secret().to_owned());
        }
        env
    }

    /// Starts a guard, and has it start the workload.
    async fn start_guard(&self, workload: &WorkloadRequest) -> Result<StartedGuard, ExecutorError> {
        let run_id = workload.id.run_id;
        let work_dir = self.run_dir(run_id);
        make_empty_dir(&work_dir)
            .await
            .map_err(|e| ExecutorError::unavailable("the work directory cannot be made", &e))?;
        let start = GuardCommand::Start(StartCommand {
            command: workload.spec.command.clone(),
            env: self.environment(workload, &work_dir),
            work_dir,
            lock: self.lock_file(run_id),
            lease_ms: milliseconds_until(*workload.lease_expiry.borrow()),
        });
        let (mut guard, output) = GuardProcess::spawn(&self.guard_program)?;
        guard
            .send(&start)
            .await
            .map_err(|e| ExecutorError::unavailable("the guard takes no commands", &e))?;
        let report = guard.next_report().await;
        if let Some(GuardReport::Started { pid }) = report {
            return Ok(StartedGuard { guard, output, pid });
        }
        // A guard that was ended before it could report may leave a workload behind.
        guard.kill_workload().await;
        match report {
            Some(GuardReport::Refused { message }) => Err(config_error(format!(
                "The command cannot be started: {message}"
            ))),
            Some(GuardReport::Failed { message }) => Err(ExecutorError::unavailable(
                "the guard cannot work",
                &message,
            )),
            Some(GuardReport::Started { .. } | GuardReport::Ended { .. }) | None => Err(
                ExecutorError::Unavailable("the guard ended early".to_owned()),
            ),
        }
    }

    /// Follows a started workload.
    fn follow(&self, started: StartedGuard, workload: &WorkloadRequest, log: &LogSink) -> Workload {
        let StartedGuard { guard, output, pid } = started;
        let (commands, receiver) = mpsc::unbounded_channel();
        self.guards.lock().insert(workload.id.run_id, commands);
        let driver = Driver {
            guard,
            commands: receiver,
            lease_expiry: workload.lease_expiry.clone(),
        };
        let (events, event_receiver) = mpsc::channel(MAX_WAITING_EVENTS);
        let log = log.clone();
        let handle = tokio::spawn(async move { driver.run(output, &log, &events).await });
        let reference = format!("process:{pid}");
        Workload::new(reference, event_receiver, RemovalFlag::default(), handle)
    }
}

fn config_error(message: impl Into<String>) -> ExecutorError {
    ExecutorError::Refused(Exit::without_code(RunReason::ConfigError, message))
}

#[async_trait]
impl Executor for ProcessExecutor {
    fn outlives_worker(&self) -> bool {
        false
    }

    /// The working directory holds this worker's processes alone.
    fn serve(&self, _installation: Option<InstallationId>) {}

    fn labels(&self) -> Vec<String> {
        Vec::new()
    }

    async fn start(
        &self,
        workload: &WorkloadRequest,
        log: &LogSink,
    ) -> Result<Workload, ExecutorError> {
        if workload.spec.command.is_empty() {
            return Err(config_error(
                "There is no command: the process executor takes no image, so the run must name one.",
            ));
        }
        self.wait_until_gone(workload.id.run_id, END_TIMEOUT)
            .await?;
        let started = self.start_guard(workload).await?;
        Ok(self.follow(started, workload, log))
    }

    async fn adopt(
        &self,
        workload: &WorkloadRequest,
        _log: &LogSink,
    ) -> Result<Option<Workload>, ExecutorError> {
        // A process dies with its worker. It must be certain that it is dead.
        self.wait_until_gone(workload.id.run_id, END_TIMEOUT)
            .await
            .map(|()| None)
    }

    async fn given_secrets(
        &self,
        _workload: &WorkloadId,
    ) -> Result<Vec<SecretString>, ExecutorError> {
        // A process is not adopted.
        Ok(Vec::new())
    }

    async fn remove(
        &self,
        workload: &WorkloadId,
        _epoch: Option<Epoch>,
        grace: Duration,
    ) -> Result<(), ExecutorError> {
        let run_id = workload.run_id;
        if let Some(guard) = self.guards.lock().get(&run_id) {
            // A guard that is gone has ended its workload.
            let _ = guard.send(GuardCommand::Stop(milliseconds(grace)));
        }
        self.wait_until_gone(run_id, grace + END_TIMEOUT).await?;
        self.guards.lock().remove(&run_id);
        let lock = try_lock(&self.lock_file(run_id));
        let removed = tokio::fs::remove_dir_all(self.run_dir(run_id)).await;
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(run.id = %run_id, %error, "a work directory cannot be removed");
        }
        let _ = tokio::fs::remove_file(self.lock_file(run_id)).await;
        drop(lock);
        Ok(())
    }

    async fn leftovers(&self) -> Result<Vec<WorkloadId>, ExecutorError> {
        let unreadable =
            |e: io::Error| ExecutorError::unavailable("the work directory cannot be read", &e);
        let mut entries = tokio::fs::read_dir(&self.work_dir)
            .await
            .map_err(unreadable)?;
        let mut run_ids = BTreeSet::new();
        while let Some(entry) = entries.next_entry().await.map_err(unreadable)? {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let name = name.strip_suffix(".lock").unwrap_or(name);
            run_ids.extend(name.parse::<RunId>().ok());
        }
        let workload = |run_id| WorkloadId {
            run_id,
            attempt: 0,
            project: String::new(),
        };
        Ok(run_ids.into_iter().map(workload).collect())
    }
}

async fn make_empty_dir(dir: &Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(dir).await {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    tokio::fs::DirBuilder::new().mode(0o700).create(dir).await
}
