//! `ck8s up`: everything on one machine. Makes what is missing, starts it in order, says where it is, stops it in
//! reverse.
mod data_dir;
mod demo;
mod greeting;
mod ready;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result, anyhow};
use ck8s_auth::Bootstrap;
use ck8s_cli::GlobalOptions;
use ck8s_db::embedded::{self, Embedded};
use ck8s_telemetry::{Admin, LogFormat, init_logs};
use ck8s_worker::{Credential, Worker, WorkerConfig};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use self::{data_dir::DataDir, demo::Demo, ready::Ready};
use crate::{
    config::{Secrets, Tuning, database_url},
    mesh::MeshOptions,
    readiness::Answers,
    roles::Roles,
    serve::bind,
    server::{Options, Server},
    shutdown,
    sign_in::SignInOptions,
    worker::{self, Executor, PlaceArgs},
};

/// How long the local worker may take to hand its leases back.
const WORKER_STOP: Duration = Duration::from_secs(5);

/// Arguments of `ck8s up`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Stop it with Ctrl-C or SIGTERM; the same directory comes back with all its data.
DATABASE_URL, or CK8S_DATABASE_URL, is used instead of an embedded PostgreSQL when it is set.

Example:
  ck8s up --data-dir /var/lib/ck8s --listen 127.0.0.1:8080")]
pub struct UpArgs {
    /// Where everything is kept [default: .ck8s].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The public listener.
    #[arg(
        long,
        env = "CK8S_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080"
    )]
    listen: SocketAddr,
    /// What runs the workloads.
    #[arg(long, value_enum, default_value = "process")]
    executor: Executor,
    #[command(flatten)]
    place: PlaceArgs,
    /// Written once everything answers; the same is always in DIR/ready.json.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// The image of the demo's runs, for the kubernetes executor.
    #[arg(long, value_name = "IMAGE", default_value = "busybox:1.36")]
    demo_image: String,
    /// Starts no worker: start your own with `ck8s worker` and DIR/worker-token.
    #[arg(long)]
    no_worker: bool,
    /// How many runs the worker takes at once.
    #[arg(long, value_name = "N", default_value_t = 16)]
    capacity: u32,
    /// The private listener for metrics and health; off unless set.
    #[arg(long, env = "CK8S_ADMIN_LISTEN", value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,
    #[command(flatten)]
    sign_in: SignInOptions,
    #[command(flatten)]
    tuning: Tuning,
}

/// Runs it until a signal comes.
pub async fn run(args: UpArgs, global: &GlobalOptions) -> Result<ExitCode> {
    init_logs(LogFormat::Text)?;
    let shutdown = shutdown::on_signal()?;
    let dir = args.data_dir.clone().or_else(|| global.data_dir.clone());
    let dir = DataDir::open(&dir.unwrap_or_else(|| PathBuf::from(".ck8s")))?;
    dir.forget_ready()?;
    let listener = bind(args.listen).await?;
    let answers = Answers::default();
    if let Some(address) = args.admin_listen {
        answers.serve(Admin::bind(address).await?, &shutdown);
    }
    let mut database = tokio::select! {
        database = Database::start(&dir) => database?,
        () = shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    let result = serve(&args, &dir, &mut database, listener, &answers, &shutdown).await;
    database.stop().await;
    result.map(|()| ExitCode::SUCCESS)
}

/// The database, ours or a given one.
enum Database {
    Given(SecretString),
    Embedded(Box<Embedded>),
}

impl Database {
    async fn start(dir: &DataDir) -> Result<Self> {
        if let Some(url) = database_url() {
            return Ok(Self::Given(url));
        }
        let options = embedded::Options { durable: true };
        let server = Embedded::start(&dir.postgres(), options).await?;
        Ok(Self::Embedded(Box::new(server)))
    }

    /// For us.
    fn url(&self) -> SecretString {
        match self {
            Self::Given(url) => url.clone(),
            Self::Embedded(server) => server.url().into(),
        }
    }

    /// For other programs of this machine.
    fn url_for_others(&self) -> SecretString {
        match self {
            Self::Given(url) => url.clone(),
            Self::Embedded(server) => server.tcp_url().into(),
        }
    }

    /// Waits until the embedded server ends by itself.
    async fn failed(&mut self) -> anyhow::Error {
        match self {
            Self::Given(_) => std::future::pending().await,
            Self::Embedded(server) => {
                server.wait().await;
                anyhow!("PostgreSQL ended by itself: see postgres/server.log in the data directory")
            }
        }
    }

    async fn stop(self) {
        if let Self::Embedded(server) = self {
            server.stop().await;
        }
    }
}

async fn serve(
    args: &UpArgs,
    dir: &DataDir,
    database: &mut Database,
    listener: tokio::net::TcpListener,
    answers: &Answers,
    shutdown: &CancellationToken,
) -> Result<()> {
    let url = database.url();
    ck8s_db::migrate::up(url.expose_secret())
        .await
        .context("migrating the database")?;
    let webhook_secret = dir.webhook_secret()?;
    let secrets = Secrets {
        key_ring: Some(dir.key_ring()?),
        run_token_key: Some(dir.run_token_key()?),
        webhook_secret: Some(webhook_secret.clone()),
        github_client_secret: Secrets::from_env().github_client_secret,
    };
    let here = local_url(listener.local_addr()?);
    let options = Options {
        roles: Roles::all(),
        database_url: Some(url),
        mesh: MeshOptions::default(),
        secrets,
        tuning: args.tuning.clone(),
        sign_in: args.sign_in.clone().reached_at(&here),
    };
    let mut server = Server::start(options, Some(listener)).await?;
    let address = server.address().context("the role edge is among all")?;
    answers.set(server.readiness());
    let mut node = None;

    let starting = async {
        let auth = server
            .auth()
            .context("the role auth is among all")?
            .bootstrap();
        let url = local_url(address);
        let (admin, worker_token) = tokens(&auth, dir).await?;
        let demo = Demo::ensure(&url, &admin, &webhook_secret, &args.demo_image).await?;
        if !args.no_worker {
            let started = start_worker(args, dir, &url, worker_token)?;
            node.insert(started).connected(&url, &admin).await?;
        }
        let link = auth.create_link().await?;
        let ready = Ready {
            grpc: url.trim_start_matches("http://").to_owned(),
            admin_url: format!("{url}/#link={link}"),
            url,
            admin_token: admin,
            demo_project: demo.project,
            demo_repository: demo.repository,
            webhook_secret,
            database_url: database.url_for_others(),
        };
        ready.write(dir, args.ready_file.as_deref())?;
        greeting::print(&ready, dir, args);
        anyhow::Ok(())
    };
    let started = tokio::select! {
        started = starting => started,
        () = shutdown.cancelled() => Ok(()),
    };

    let result = match started {
        Err(error) => Err(error),
        Ok(()) => tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            error = server.failed() => Err(error),
            error = database.failed() => Err(error),
            error = Node::failed(node.as_mut()) => Err(error),
        },
    };
    let _ = dir.forget_ready();
    if let Some(node) = node {
        node.stop().await;
    }
    server.stop().await;
    result
}

/// The tokens of the local admin and of the local worker: kept in the directory, made again if they are no longer good.
async fn tokens(auth: &Bootstrap, dir: &DataDir) -> Result<(SecretString, SecretString)> {
    let kept = dir.kept("admin-token")?;
    let admin = auth
        .ensure_admin_token(
            "local-admin",
            kept.as_ref().map(ExposeSecret::expose_secret),
        )
        .await?;
    dir.keep("admin-token", &admin)?;
    let kept = dir.kept("worker-token")?;
    let worker = auth
        .ensure_worker_token(
            "local-worker",
            kept.as_ref().map(ExposeSecret::expose_secret),
        )
        .await?;
    dir.keep("worker-token", &worker)?;
    Ok((admin.into(), worker.into()))
}

/// The worker in this process.
struct Node {
    id: String,
    worker: Worker,
    stopping: CancellationToken,
}

fn start_worker(args: &UpArgs, dir: &DataDir, url: &str, token: SecretString) -> Result<Node> {
    let worker_id = worker::machine()?;
    let id = worker_id.to_string();
    let place = match args.executor {
        Executor::Process => args.place.clone().told(url),
        Executor::Kubernetes => args.place.clone(),
    };
    let config = WorkerConfig {
        url: url.to_owned(),
        credential: Credential::Token(token),
        worker_id,
        labels: Vec::new(),
        capacity: args.capacity,
        executor: place.executor(args.executor, dir.path().join("work")),
    };
    let stopping = CancellationToken::new();
    let worker = Worker::start(config, stopping.clone());
    Ok(Node {
        id,
        worker,
        stopping,
    })
}

impl Node {
    /// Waits until the server knows it as connected.
    async fn connected(&mut self, url: &str, admin: &SecretString) -> Result<()> {
        let id = self.id.clone();
        tokio::select! {
            connected = demo::worker_connected(url, admin, &id) => connected,
            error = Self::failed(Some(&mut *self)) => Err(error),
        }
    }

    async fn failed(node: Option<&mut Self>) -> anyhow::Error {
        let Some(node) = node else {
            return std::future::pending().await;
        };
        match node.worker.wait().await {
            Ok(()) => anyhow!("the worker ended by itself"),
            Err(error) => anyhow::Error::new(error).context("the worker"),
        }
    }

    async fn stop(mut self) {
        if self.worker.is_finished() {
            return;
        }
        self.stopping.cancel();
        if tokio::time::timeout(WORKER_STOP, self.worker.wait())
            .await
            .is_err()
        {
            tracing::warn!("the worker did not hand everything back in time");
            self.worker.abort();
        }
    }
}

/// Where this machine reaches the listener.
fn local_url(address: SocketAddr) -> String {
    let host = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => "[::1]".to_owned(),
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    };
    format!("http://{host}:{}", address.port())
}
