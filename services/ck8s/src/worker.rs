//! `ck8s worker`: a worker node. Its verbs, list and drain, are a client's.
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use ck8s_cli::{GlobalOptions, WorkerVerb};
use ck8s_pki::{Certificates, Identity};
use ck8s_telemetry::{Admin, LogFormat, init_logs};
use ck8s_types::WorkerId;
use ck8s_worker::{
    ConnectionState, Credential, EgressCeiling, ExecutorConfig, Worker, WorkerConfig,
};
use clap::ValueEnum;
use ipnet::IpNet;
use secrecy::SecretString;

use crate::shutdown;

/// What runs the workloads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Executor {
    /// Child processes on this machine; not a sandbox.
    Process,
    /// Jobs in a Kubernetes cluster.
    Kubernetes,
}

/// Arguments of `ck8s worker`.
#[derive(clap::Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
The token comes from --token-file or CK8S_TOKEN: make one with `ck8s token create node-1 --kind worker`.
With --mesh-certs the worker needs no token and speaks to the mesh: --url is then where the role runs is, or several, with commas.

Example:
  ck8s worker --url http://127.0.0.1:8080 --token-file token --executor process
  ck8s worker --url https://runs:7443 --mesh-certs /var/lib/ck8s/certs"
)]
pub(crate) struct WorkerArgs {
    #[command(subcommand)]
    verb: Option<WorkerVerb>,
    #[command(flatten)]
    node: NodeArgs,
}

/// Arguments of a node.
#[derive(clap::Args, Debug)]
struct NodeArgs {
    /// Its id, the same after a restart; without it, the machine's name.
    #[arg(long, env = "CK8S_WORKER_ID", value_name = "ID")]
    id: Option<WorkerId>,
    /// What runs the workloads.
    #[arg(long, env = "CK8S_EXECUTOR", value_enum, default_value = "process")]
    executor: Executor,
    /// Labels that runs may ask for, besides the executor's name, the system and the processor.
    #[arg(
        long = "label",
        env = "CK8S_WORKER_LABELS",
        value_name = "LABEL",
        value_delimiter = ','
    )]
    labels: Vec<String>,
    /// How many runs at once.
    #[arg(
        long,
        env = "CK8S_WORKER_CAPACITY",
        value_name = "N",
        default_value_t = 16
    )]
    capacity: u32,
    #[command(flatten)]
    workload: WorkloadArgs,
    /// Directory with tls.crt, tls.key and ca.crt; read again when they change. `ck8s worker join` makes them.
    #[arg(long, env = "CK8S_MESH_CERTS", value_name = "DIR")]
    mesh_certs: Option<PathBuf>,
    /// Where the role auth is, which renews a certificate that `ck8s worker join` got; without it, where --url is.
    #[arg(long, env = "CK8S_PEER_AUTH", value_name = "URL[,URL...]")]
    peer_auth: Option<String>,
    /// Where the process executor keeps the runs' directories.
    #[arg(
        long,
        env = "CK8S_WORK_DIR",
        value_name = "DIR",
        default_value = ".ck8s/work"
    )]
    work_dir: PathBuf,
    /// The private listener for metrics and health; off unless set.
    #[arg(long, env = "CK8S_ADMIN_LISTEN", value_name = "ADDRESS")]
    admin_listen: Option<std::net::SocketAddr>,
}

/// Where workloads run, for the kubernetes executor.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WorkloadArgs {
    /// The cluster; without it, as kubectl finds it.
    #[arg(long, env = "CK8S_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Projects' namespaces are this and the project's slug.
    #[arg(long, env = "CK8S_NAMESPACE_PREFIX", value_name = "PREFIX", value_parser = namespace_prefix, default_value = ck8s_worker::DEFAULT_NAMESPACE_PREFIX)]
    namespace_prefix: String,
    /// The address at which runs reach the server. Without it, pods get none, and processes get --url unless that is
    /// the mesh.
    #[arg(long, env = "CK8S_URL_FOR_RUNS", value_name = "URL")]
    url_for_runs: Option<String>,
    /// Ranges that runs may reach although they are link-local or a cloud's metadata, if their services.yaml allows
    /// them.
    #[arg(
        long = "egress-exception",
        env = "CK8S_EGRESS_EXCEPTIONS",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    egress_exceptions: Vec<IpNet>,
}

/// Bounds a prefix, so that a slug of 40 characters fits behind it into the 63 of a namespace.
const MAX_NAMESPACE_PREFIX_LENGTH: usize = 20;

/// Reads a prefix. An empty one would put the projects `default` and `kube-system` into the cluster's own namespaces.
fn namespace_prefix(text: &str) -> Result<String, String> {
    let fits = text.len() <= MAX_NAMESPACE_PREFIX_LENGTH
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if fits && text != "kube-" {
        return Ok(text.to_owned());
    }
    Err(format!(
        "must be 1 to {MAX_NAMESPACE_PREFIX_LENGTH} characters of a-z, 0-9 and dash, begin with a letter or digit, and not be kube-: such as ck8s-"
    ))
}

impl WorkloadArgs {
    /// Gives runs this address of the server, unless another one was given.
    pub(crate) fn with_server_url(mut self, url: &str) -> Self {
        self.url_for_runs.get_or_insert_with(|| url.to_owned());
        self
    }

    /// The executor's configuration.
    ///
    /// # Errors
    /// If the exceptions of the egress ceiling cannot be used.
    pub(crate) fn executor(self, executor: Executor, work_dir: PathBuf) -> Result<ExecutorConfig> {
        let egress_ceiling = EgressCeiling::with_exceptions(self.egress_exceptions)
            .context("CK8S_EGRESS_EXCEPTIONS (--egress-exception)")?;
        Ok(match executor {
            Executor::Process => ExecutorConfig::Process {
                work_dir,
                server_url_for_runs: self.url_for_runs,
            },
            Executor::Kubernetes => ExecutorConfig::Kubernetes {
                kubeconfig: self.kubeconfig,
                namespace_prefix: self.namespace_prefix,
                server_url_for_runs: self.url_for_runs,
                egress_ceiling,
            },
        })
    }
}

/// Runs a node until a signal comes, or one of the verbs.
pub(crate) async fn run(args: WorkerArgs, global: GlobalOptions) -> Result<ExitCode> {
    if let Some(mut verb) = args.verb {
        if let WorkerVerb::Join(join) = &mut verb
            && join.id.is_none()
        {
            join.id = Some(machine_worker_id()?.to_string());
        }
        return Ok(ck8s_cli::run_worker_verb(verb, global).await);
    }
    init_logs(LogFormat::Json)?;
    let shutdown = shutdown::on_signal()?;
    let mut node = args.node;
    let url = global
        .url
        .clone()
        .context("which server? give --url or set CK8S_URL")?;
    let (credential, worker_id) = match &node.mesh_certs {
        Some(dir) => certificate_credential(dir, &url, &node)?,
        None => {
            if node.executor == Executor::Process {
                node.workload = node.workload.with_server_url(&url);
            }
            (Credential::Token(token(&global)?), node.id)
        }
    };
    let config = WorkerConfig {
        url,
        credential,
        worker_id: match worker_id {
            Some(id) => id,
            None => machine_worker_id()?,
        },
        labels: node.labels,
        capacity: node.capacity,
        executor: node.workload.executor(node.executor, node.work_dir)?,
    };
    let admin = match node.admin_listen {
        Some(address) => Some(Admin::bind(address).await?),
        None => None,
    };
    let mut worker = Worker::start(config, shutdown.clone());
    if let Some(admin) = admin {
        let connection = worker.connection();
        let missing = move || {
            let missing = match *connection.borrow() {
                ConnectionState::Connected => vec![],
                ConnectionState::Disconnected => vec!["runs"],
            };
            async move { missing }
        };
        tokio::spawn(admin.serve(missing, shutdown));
    }
    worker.wait().await?;
    Ok(ExitCode::SUCCESS)
}

/// The certificates of a directory, and the id that they name.
fn certificate_credential(
    dir: &Path,
    url: &str,
    node: &NodeArgs,
) -> Result<(Credential, Option<WorkerId>)> {
    let certificates = Certificates::open(dir).context("--mesh-certs")?;
    let Identity::Worker(named) = certificates.identity() else {
        bail!(
            "the certificate in {} is for {}, not for a worker",
            dir.display(),
            certificates.identity()
        );
    };
    if let Some(id) = &node.id
        && *id != named
    {
        bail!("the certificate is worker {named}'s, and this worker is to be {id}: leave --id out");
    }
    if certificates.validity().until < SystemTime::now() {
        bail!("the certificate has ended: join again with `ck8s worker join`");
    }
    // What cert-manager or a person put there, they renew.
    let renew_at =
        ck8s_cli::has_joined(dir).then(|| node.peer_auth.clone().unwrap_or_else(|| url.to_owned()));
    let credential = Credential::Certificate {
        certificates,
        renew_at,
    };
    Ok((credential, Some(named)))
}

fn token(global: &GlobalOptions) -> Result<SecretString> {
    let text = match &global.token_file {
        Some(path) => std::fs::read_to_string(path).with_context(|| path.display().to_string())?,
        None => std::env::var("CK8S_TOKEN").unwrap_or_default(),
    };
    match ck8s_cli::token_text(&text) {
        "" => bail!(
            "no worker's token: give --token-file or set CK8S_TOKEN (make one with `ck8s token create`)"
        ),
        token => Ok(token.into()),
    }
}

/// The machine's name, as a worker's id.
pub(crate) fn machine_worker_id() -> Result<WorkerId> {
    let name = nix::unistd::gethostname()?.to_string_lossy().into_owned();
    let fitting = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name: String = name
        .chars()
        .map(|c| if fitting(c) { c } else { '-' })
        .take(100)
        .collect();
    name.parse()
        .context("this machine's name cannot be a worker's id: give --id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_makes_no_namespaces_of_its_own_is_refused() {
        for prefix in ["ck8s-", "team1-", "x"] {
            assert_eq!(namespace_prefix(prefix).as_deref(), Ok(prefix));
        }
        for prefix in ["", "-x", "Team-", "a.b", "kube-", &"x".repeat(21)] {
            let refused = namespace_prefix(prefix).expect_err("is refused");
            assert!(refused.contains("such as ck8s-"), "{refused}");
        }
    }
}
