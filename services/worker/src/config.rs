//! How a worker is set up.
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ck8s_pki::Certificates;
use ck8s_types::WorkerId;
use secrecy::SecretString;

/// The namespaces of projects are this and the project's slug.
pub const DEFAULT_NAMESPACE_PREFIX: &str = "ck8s-";

/// A worker's configuration.
#[derive(Clone)]
pub struct WorkerConfig {
    /// The server's public listener, `http://host:port`; with a certificate the mesh listeners of the role runs, `https://name:port,...`.
    pub url: String,
    /// How the server knows it.
    pub credential: Credential,
    /// Stable over restarts.
    pub worker_id: WorkerId,
    /// What it offers, besides its executor's name, its operating system and its processor.
    pub labels: Vec<String>,
    /// How many leases it takes at once.
    pub capacity: u32,
    /// What runs the workloads.
    pub executor: ExecutorConfig,
    /// How logs are cut into pieces.
    pub log: LogSettings,
    /// What is called with the argument `process-guard` to guard a process; none: this program itself.
    pub guard_program: Option<PathBuf>,
    /// Says whether the lease stream stands.
    pub connected: Connected,
}

/// Whether the server knows the worker now, for whoever asks; a clone says the same.
#[derive(Clone, Debug, Default)]
pub struct Connected(Arc<AtomicBool>);

impl Connected {
    /// The server has said Welcome, and the stream stands.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, connected: bool) {
        self.0.store(connected, Ordering::Relaxed);
    }
}

/// How the server knows a worker.
#[derive(Clone)]
pub enum Credential {
    /// A worker's token.
    Token(SecretString),
    /// A certificate of the mesh.
    Certificate {
        /// The worker's certificates.
        certificates: Certificates,
        /// The mesh listeners of the role auth, which sign the next certificate; none: somebody else renews it.
        renew_at: Option<String>,
    },
}

/// What runs the workloads.
#[derive(Clone, Debug)]
pub enum ExecutorConfig {
    /// Child processes on this machine; not a sandbox.
    Process {
        /// Each run gets a directory in it.
        work_dir: PathBuf,
        /// Where runs reach the server; none: they are not told.
        server_url_for_runs: Option<String>,
    },
    /// Jobs in a cluster.
    Kubernetes {
        /// None: as kubectl would.
        kubeconfig: Option<PathBuf>,
        /// See [`DEFAULT_NAMESPACE_PREFIX`].
        namespace_prefix: String,
        /// Where pods reach the server; none: they are not told.
        server_url_for_runs: Option<String>,
    },
}

impl ExecutorConfig {
    /// The executor's name in the contract.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Process { .. } => "process",
            Self::Kubernetes { .. } => "kubernetes",
        }
    }
}

/// How logs are cut into pieces.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings {
    /// A first line after silence waits this long for more.
    pub first: Duration,
    /// While there is more, a piece is made this often.
    pub window: Duration,
    /// A piece of this size waits no longer.
    pub piece_bytes: usize,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(5),
            window: Duration::from_millis(50),
            piece_bytes: 16 * 1024,
        }
    }
}

impl WorkerConfig {
    /// All labels: its own and what follows from where it runs; sorted, each once.
    #[must_use]
    pub fn all_labels(&self, of_executor: Vec<String>) -> Vec<String> {
        let mut labels = self.labels.clone();
        labels.extend(of_executor);
        for own in [
            self.executor.name(),
            std::env::consts::OS,
            std::env::consts::ARCH,
        ] {
            labels.push(own.to_owned());
        }
        labels.sort();
        labels.dedup();
        labels
    }
}
