//! `ck8s serve`: roles on a given database, as many processes as wanted.
use std::{net::SocketAddr, process::ExitCode};

use anyhow::{Context, Result};
use ck8s_telemetry::{Admin, LogFormat, init_logs};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use crate::{
    config::{Secrets, Tuning, database_url},
    roles::Roles,
    server::{Options, Server},
    shutdown,
};

/// Arguments of `ck8s serve`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Secrets come by the environment alone: CK8S_DATABASE_URL (or DATABASE_URL), CK8S_KEY_RING, CK8S_RUN_TOKEN_KEY, CK8S_WEBHOOK_SECRET.
Several processes on one database share the work; they need the same keys.

Example:
  ck8s migrate up && ck8s serve --role all --listen 0.0.0.0:8080")]
pub struct ServeArgs {
    /// The roles: edge, ingress, runs, repositories, auth; or all.
    #[arg(
        long,
        env = "CK8S_ROLE",
        value_name = "R[,R...]",
        value_delimiter = ',',
        required = true
    )]
    role: Vec<String>,
    /// The public listener.
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
    /// Settings.
    #[command(flatten)]
    tuning: Tuning,
}

/// Serves until a signal comes.
pub async fn run(args: ServeArgs) -> Result<ExitCode> {
    init_logs(LogFormat::Json)?;
    let shutdown = shutdown::on_signal()?;
    let roles = Roles::named(&args.role)?;
    roles.check()?;
    let database_url =
        database_url().context("which database? set CK8S_DATABASE_URL or DATABASE_URL")?;
    let secrets = Secrets::from_env()?;
    ck8s_db::migrate::usable(database_url.expose_secret())
        .await
        .context("run `ck8s migrate up` first")?;
    if let Some(address) = args.admin_listen {
        tokio::spawn(Admin::bind(address).await?.serve(shutdown.clone()));
    }
    let listener = bind(args.listen).await?;
    let options = Options {
        roles,
        database_url,
        secrets,
        tuning: args.tuning,
    };
    let mut server = Server::start(options, listener).await?;
    tracing::info!(address = %server.address(), "serving");
    tokio::select! {
        () = shutdown.cancelled() => server.stop().await,
        error = server.failed() => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}

/// Binds the public listener.
pub async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another with --listen"))
}
