//! The configuration of a worker.
use std::path::PathBuf;

use ck8s_kube::EgressCeiling;
use ck8s_pki::Certificates;
use ck8s_types::WorkerId;
use secrecy::SecretString;

/// The default prefix of a project's namespace; the project's slug follows it.
pub const DEFAULT_NAMESPACE_PREFIX: &str = "ck8s-";

/// A worker's configuration.
#[derive(Clone)]
pub struct WorkerConfig {
    /// The server's public listener, `http://host:port`. With a certificate: the mesh listeners of the role runs,
    /// `https://name:port,...`.
    pub url: String,
    /// How the worker authenticates itself.
    pub credential: Credential,
    /// The worker's id, the same after a restart.
    pub worker_id: WorkerId,
    /// The labels that the worker offers, besides its executor's name, its operating system and its processor.
    pub labels: Vec<String>,
    /// How many leases the worker takes at once.
    pub capacity: u32,
    /// What runs the workloads.
    pub executor: ExecutorConfig,
}

/// How a worker authenticates itself.
#[derive(Clone)]
pub enum Credential {
    /// A worker's token.
    Token(SecretString),
    /// A certificate of the mesh.
    Certificate {
        /// The worker's certificates.
        certificates: Certificates,
        /// The mesh listeners of the role auth, which sign the next certificate. None if somebody else renews the
        /// certificate.
        renew_at: Option<String>,
    },
}

/// What runs the workloads.
#[derive(Clone, Debug)]
pub enum ExecutorConfig {
    /// Child processes on this machine; not a sandbox.
    Process {
        /// The directory that holds a directory for each run.
        work_dir: PathBuf,
        /// The server's address for runs (`CK8S_URL`). None: runs get no address.
        server_url_for_runs: Option<String>,
    },
    /// Jobs in a Kubernetes cluster.
    Kubernetes {
        /// The cluster's configuration file. None: as kubectl finds it.
        kubeconfig: Option<PathBuf>,
        /// The prefix of a project's namespace; see [`DEFAULT_NAMESPACE_PREFIX`].
        namespace_prefix: String,
        /// The server's address for pods (`CK8S_URL`). None: pods get no address.
        server_url_for_runs: Option<String>,
        /// What runs may reach at most.
        egress_ceiling: EgressCeiling,
    },
}

impl ExecutorConfig {
    /// Returns the executor's name in the contract.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Process { .. } => "process",
            Self::Kubernetes { .. } => "kubernetes",
        }
    }
}

impl WorkerConfig {
    /// Returns all labels, sorted, each once: the configured ones, the executor's, and those of the machine.
    pub(crate) fn all_labels(&self, executor_labels: Vec<String>) -> Vec<String> {
        let mut labels = self.labels.clone();
        labels.extend(executor_labels);
        for label in [
            self.executor.name(),
            std::env::consts::OS,
            std::env::consts::ARCH,
        ] {
            labels.push(label.to_owned());
        }
        labels.sort();
        labels.dedup();
        labels
    }
}
