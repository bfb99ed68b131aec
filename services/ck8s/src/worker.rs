//! `ck8s worker`: a worker node. Its verbs, list and drain, are a client's.
use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use ck8s_cli::{Global, WorkerVerb};
use ck8s_telemetry::{Admin, LogFormat, init_logs};
use ck8s_types::WorkerId;
use ck8s_worker::{ExecutorConfig, LogSettings, WorkerConfig};
use clap::ValueEnum;
use secrecy::SecretString;

use crate::shutdown;

/// What runs the workloads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Executor {
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

Example:
  ck8s worker --url http://127.0.0.1:8080 --token-file token --executor process"
)]
pub struct WorkerArgs {
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
    place: PlaceArgs,
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
pub struct PlaceArgs {
    /// The cluster; without it, as kubectl finds it.
    #[arg(long, env = "CK8S_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Projects' namespaces are this and the project's slug.
    #[arg(long, env = "CK8S_NAMESPACE_PREFIX", value_name = "PREFIX", default_value = ck8s_worker::DEFAULT_NAMESPACE_PREFIX)]
    namespace_prefix: String,
    /// Where pods reach this server; without it they are not told.
    #[arg(long, env = "CK8S_URL_FOR_RUNS", value_name = "URL")]
    url_for_runs: Option<String>,
}

impl PlaceArgs {
    /// The executor's configuration.
    pub fn executor(self, executor: Executor, work_dir: PathBuf) -> ExecutorConfig {
        match executor {
            Executor::Process => ExecutorConfig::Process { work_dir },
            Executor::Kubernetes => ExecutorConfig::Kubernetes {
                kubeconfig: self.kubeconfig,
                namespace_prefix: self.namespace_prefix,
                server_url_for_runs: self.url_for_runs,
            },
        }
    }
}

/// Runs a node until a signal comes, or one of the verbs.
pub async fn run(args: WorkerArgs, global: Global) -> Result<ExitCode> {
    if let Some(verb) = args.verb {
        return Ok(ck8s_cli::run_worker_verb(verb, global).await);
    }
    init_logs(LogFormat::Json)?;
    let shutdown = shutdown::on_signal()?;
    let node = args.node;
    let config = WorkerConfig {
        url: global
            .url
            .clone()
            .context("which server? give --url or set CK8S_URL")?,
        token: token(&global)?,
        worker_id: match node.id {
            Some(id) => id,
            None => machine()?,
        },
        labels: node.labels,
        capacity: node.capacity,
        executor: node.place.executor(node.executor, node.work_dir),
        log: LogSettings::default(),
        guard_program: None,
    };
    if let Some(address) = node.admin_listen {
        tokio::spawn(Admin::bind(address).await?.serve(shutdown.clone()));
    }
    ck8s_worker::run(config, shutdown).await?;
    Ok(ExitCode::SUCCESS)
}

fn token(global: &Global) -> Result<SecretString> {
    let text = match &global.token_file {
        Some(path) => std::fs::read_to_string(path).with_context(|| path.display().to_string())?,
        None => std::env::var("CK8S_TOKEN").unwrap_or_default(),
    };
    match text.trim() {
        "" => bail!(
            "no worker's token: give --token-file or set CK8S_TOKEN (make one with `ck8s token create`)"
        ),
        token => Ok(token.into()),
    }
}

/// The machine's name, as a worker's id.
pub fn machine() -> Result<WorkerId> {
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
