//! `ck8s serve`: roles on a given database, as many processes as wanted.
use std::{net::SocketAddr, process::ExitCode};

use anyhow::{Context, Result};
use ck8s_telemetry::{Admin, LogFormat, init_logs};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use crate::{
    config::{Secrets, Tuning, database_url},
    mesh::MeshOptions,
    readiness::ReadinessEndpoint,
    roles::Roles,
    server::{Options, Server},
    shutdown,
    sign_in::SignInOptions,
};

/// Arguments of `ck8s serve`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Secrets come by the environment alone: CK8S_DATABASE_URL (or DATABASE_URL) for every role but edge, CK8S_KEY_RING for repositories and auth,
CK8S_RUN_TOKEN_KEY for runs, CK8S_WEBHOOK_SECRET for ingress, CK8S_GITHUB_CLIENT_SECRET for auth. Several processes on one database share the work; they need the same keys.

Example:
  ck8s migrate up && ck8s serve --role all --listen 0.0.0.0:8080
  CK8S_PEER_AUTH=https://auth:7443 ck8s serve --role repositories --mesh-listen 0.0.0.0:7443 --mesh-certs /certs")]
pub(crate) struct ServeArgs {
    /// The roles: edge, ingress, runs, repositories, auth; or all.
    #[arg(
        long,
        env = "CK8S_ROLE",
        value_name = "R[,R...]",
        value_delimiter = ',',
        required = true
    )]
    role: Vec<String>,
    /// The public listener, for the role edge.
    #[arg(
        long,
        env = "CK8S_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080"
    )]
    listen: SocketAddr,
    /// The private listener for metrics and health; off unless set.
    #[arg(long, env = "CK8S_ADMIN_LISTEN", value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,
    /// Roles elsewhere.
    #[command(flatten)]
    mesh: MeshOptions,
    /// People.
    #[command(flatten)]
    sign_in: SignInOptions,
    /// Settings.
    #[command(flatten)]
    tuning: Tuning,
}

/// Serves until a signal comes.
pub(crate) async fn run(args: ServeArgs) -> Result<ExitCode> {
    init_logs(LogFormat::Json)?;
    let shutdown = shutdown::on_signal()?;
    let roles = Roles::named(&args.role)?;
    args.mesh.check(&roles)?;
    let database_url = if roles.need_database() {
        let url =
            database_url().context("which database? set CK8S_DATABASE_URL or DATABASE_URL")?;
        ck8s_db::migrate::usable(url.expose_secret())
            .await
            .context("run `ck8s migrate up` first")?;
        ck8s_db::adopt_cluster(url.expose_secret()).await?;
        Some(url)
    } else {
        None
    };
    let readiness_endpoint = ReadinessEndpoint::default();
    if let Some(address) = args.admin_listen {
        readiness_endpoint.serve(Admin::bind(address).await?, &shutdown);
    }
    let listener = if roles.has("edge") {
        Some(bind(args.listen).await?)
    } else {
        None
    };
    let options = Options {
        roles,
        database_url,
        secrets: Secrets::from_env(),
        tuning: args.tuning,
        sign_in: args.sign_in.resolve(),
        mesh: args.mesh,
    };
    let mut server = Server::start(options, listener).await?;
    readiness_endpoint.set(server.readiness());
    tracing::info!("serving");
    tokio::select! {
        () = shutdown.cancelled() => server.stop().await,
        error = server.failed() => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}

/// Binds the public listener.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another with --listen"))
}
