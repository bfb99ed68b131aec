//! What the tests of executors share: real executors, requests, and logs read from their sink.
#![allow(dead_code)]
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use ck8s_kube::{Cluster, ClusterOptions, EgressCeiling};
use ck8s_types::{Epoch, InstallationId, RunId, RunSpec, Timeouts};
use ck8s_worker::{
    Executor, Exit, KubernetesExecutor, LogItem, LogSink, Moment, ProcessExecutor, StoredLog,
    Workload, WorkloadEvent, WorkloadId, WorkloadRequest, log_channel,
};
use secrecy::SecretString;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(crate) const IMAGE: &str = "ck8s.test/busybox:1";
pub(crate) const GUARD: &str = env!("CARGO_BIN_EXE_ck8s-process-guard");
/// Bounds every wait of a test. Whatever takes longer is broken.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// An executor under test, and what it needs.
pub(crate) struct Fixture {
    pub executor: Arc<dyn Executor>,
    pub work_dir: PathBuf,
    _dir: tempfile::TempDir,
    _stop: tokio_util::sync::DropGuard,
}

pub(crate) fn process() -> Fixture {
    let dir = tempfile::tempdir().expect("a directory");
    let executor = ProcessExecutor::new(
        dir.path(),
        GUARD.into(),
        Some("http://127.0.0.1:1".to_owned()),
    );
    Fixture {
        executor: Arc::new(executor.expect("an executor")),
        work_dir: dir.path().to_owned(),
        _dir: dir,
        _stop: CancellationToken::new().drop_guard(),
    }
}

/// Returns the installation of this test's process.
pub(crate) fn installation() -> InstallationId {
    static INSTALLATION: OnceLock<InstallationId> = OnceLock::new();
    *INSTALLATION.get_or_init(InstallationId::new)
}

/// Returns an executor on the test cluster. None, with a message, if no cluster is given.
pub(crate) async fn kubernetes() -> Option<Fixture> {
    kubernetes_of(installation()).await
}

/// Returns an executor of this installation on the test cluster.
pub(crate) async fn kubernetes_of(installation: InstallationId) -> Option<Fixture> {
    let kubeconfig = kubeconfig()?;
    Some(kubernetes_at(&kubeconfig, installation).await)
}

/// Returns the test cluster's configuration file.
pub(crate) fn kubeconfig() -> Option<PathBuf> {
    let kubeconfig = std::env::var_os("CK8S_TEST_KUBECONFIG").map(PathBuf::from);
    if kubeconfig.is_none() {
        eprintln!("skipped: CK8S_TEST_KUBECONFIG names no cluster");
    }
    kubeconfig
}

/// Returns an executor of this installation on the cluster that a file names.
pub(crate) async fn kubernetes_at(kubeconfig: &Path, installation: InstallationId) -> Fixture {
    let stop = CancellationToken::new();
    let options = ClusterOptions {
        kubeconfig: Some(kubeconfig.into()),
        server_url: None,
        egress_ceiling: EgressCeiling::default(),
    };
    let cluster = Cluster::connect(options, &stop)
        .await
        .expect("the cluster answers");
    cluster.serve(Some(installation));
    let dir = tempfile::tempdir().expect("a directory");
    Fixture {
        executor: Arc::new(KubernetesExecutor::new(cluster, "ck8s-".to_owned(), None)),
        work_dir: dir.path().to_owned(),
        _dir: dir,
        _stop: stop.drop_guard(),
    }
}

pub(crate) async fn fixtures() -> Vec<Fixture> {
    let mut fixtures = vec![process()];
    fixtures.extend(kubernetes().await);
    fixtures
}

pub(crate) fn spec(script: &str) -> RunSpec {
    RunSpec {
        image: IMAGE.to_owned(),
        command: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
        cpu: "50m".to_owned(),
        memory: "32Mi".to_owned(),
        timeouts: Timeouts {
            pending: 60,
            running: 120,
            ..Timeouts::default()
        },
        ..RunSpec::default()
    }
}

/// The lease of a request. It lives until a test ends it.
pub(crate) struct Lease(pub watch::Sender<Moment>);

impl Lease {
    pub(crate) fn expire_in(&self, time: Duration) {
        self.0.send_replace(Moment::now() + time);
    }
}

pub(crate) fn request(spec: RunSpec) -> (WorkloadRequest, Lease) {
    let lease = Lease(watch::Sender::new(Moment::now() + Duration::from_secs(600)));
    let request = WorkloadRequest {
        id: WorkloadId {
            run_id: RunId::new(),
            attempt: 1,
            project: "worker-test".to_owned(),
        },
        epoch: Epoch(1),
        spec,
        env: BTreeMap::from([("CK8S_EVENT".to_owned(), "push".to_owned())]),
        secrets: BTreeMap::from([("SECRET".to_owned(), SecretString::from("hunter22"))]),
        lease_expiry: lease.0.subscribe(),
        stored_log: StoredLog::default(),
    };
    (request, lease)
}

/// The receiver of a sink, in place of a pump.
pub(crate) struct Log {
    pub sink: LogSink,
    reader: JoinHandle<(String, Vec<String>)>,
    /// How many bytes of output have been read.
    bytes: watch::Receiver<usize>,
    /// The place at the source behind what was read.
    place: watch::Receiver<String>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self::with_notes(0)
    }

    /// A log in which that many bytes of notes stand before the output.
    pub(crate) fn with_notes(position: u64) -> Self {
        let (sink, mut items) = log_channel();
        let (count, bytes) = watch::channel(0);
        let (places, place) = watch::channel(String::new());
        let reader = tokio::spawn(async move {
            let (mut output, mut notes, mut skip) = (Vec::new(), Vec::new(), 0);
            while let Some(item) = items.recv().await {
                match item {
                    LogItem::Output(data) => {
                        output.extend_from_slice(&data);
                        count.send_replace(output.len());
                    }
                    LogItem::Part { data, end } => {
                        output.extend_from_slice(&data);
                        count.send_replace(output.len());
                        places.send_replace(end);
                    }
                    LogItem::Note(note) => notes.push(note),
                    LogItem::Gap(why) => {
                        skip = 0;
                        notes.push(why);
                    }
                    LogItem::Position(reply) => reply.send(position).expect("the executor waits"),
                    LogItem::Skip(bytes) => skip = usize::try_from(bytes).expect("fits"),
                }
            }
            (
                String::from_utf8_lossy(&output[skip.min(output.len())..]).into_owned(),
                notes,
            )
        });
        Self {
            sink,
            reader,
            bytes,
            place,
        }
    }

    /// Waits until the workload has written something.
    pub(crate) async fn until_output(&self) {
        let mut bytes = self.bytes.clone();
        within(bytes.wait_for(|bytes| *bytes > 0))
            .await
            .expect("is read");
    }

    /// Waits until the workload has written more than that.
    pub(crate) async fn until_more_than(&self, count: usize) {
        let mut bytes = self.bytes.clone();
        within(bytes.wait_for(|bytes| *bytes > count))
            .await
            .expect("is read");
    }

    /// Returns how many bytes of output were read, and the place at the source behind them.
    pub(crate) fn place(&self) -> (usize, String) {
        (*self.bytes.borrow(), self.place.borrow().clone())
    }

    /// Returns the output and the notes, when the workload has ended.
    pub(crate) async fn read(self) -> (String, Vec<String>) {
        drop(self.sink);
        within(self.reader).await.expect("is read")
    }
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(WAIT_TIMEOUT, future)
        .await
        .expect("in time")
}

/// Watches a workload to its end. Returns whether it ran, and how it ended.
pub(crate) async fn end(workload: &mut Workload) -> (bool, Result<Exit, String>) {
    let mut ran = false;
    loop {
        match within(workload.watch()).await {
            WorkloadEvent::Running => ran = true,
            WorkloadEvent::StartDelayed(_)
            | WorkloadEvent::LogIncomplete(_)
            | WorkloadEvent::EndDelayed(_) => {}
            WorkloadEvent::Ended(exit) => return (ran, Ok(exit)),
            WorkloadEvent::Lost(exit) => return (ran, Err(exit.message)),
        }
    }
}

pub(crate) async fn running(workload: &mut Workload) {
    loop {
        match within(workload.watch()).await {
            WorkloadEvent::Running => return,
            WorkloadEvent::StartDelayed(_) => {}
            other => panic!("does not run: {other:?}"),
        }
    }
}

/// Polls a condition that no event announces.
pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < WAIT_TIMEOUT, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
