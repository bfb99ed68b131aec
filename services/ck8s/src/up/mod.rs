//! `ck8s up`: everything on one machine. Makes what is missing, starts it in order, prints where it is, stops it in
//! reverse order.
mod args;
mod banner;
mod data_dir;
mod database;
mod demo;
mod local_worker;
mod ready;
mod tokens;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use ck8s_cli::GlobalOptions;
use ck8s_telemetry::{Admin, LogFormat, init_logs};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use self::{args::UpArgs, data_dir::DataDir, database::Database};
use self::{demo::Demo, local_worker::LocalWorker, ready::Ready};
use crate::{
    config::Secrets,
    mesh::MeshOptions,
    readiness::ReadinessEndpoint,
    roles::Roles,
    serve::bind,
    server::{Options, Server},
    shutdown,
};

/// Runs `ck8s up` until a signal comes.
pub(crate) async fn run(args: UpArgs, global: &GlobalOptions) -> Result<ExitCode> {
    init_logs(LogFormat::Text)?;
    let shutdown = shutdown::on_signal()?;
    let dir = args.data_dir.clone().or_else(|| global.data_dir.clone());
    let dir = DataDir::open(&dir.unwrap_or_else(|| PathBuf::from(".ck8s")))?;
    dir.forget_ready()?;
    let listener = bind(args.listen).await?;
    let readiness_endpoint = ReadinessEndpoint::default();
    if let Some(address) = args.admin_listen {
        readiness_endpoint.serve(Admin::bind(address).await?, &shutdown);
    }
    let mut database = tokio::select! {
        database = Database::start(&dir) => database?,
        () = shutdown.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    let result = serve(
        &args,
        &dir,
        &mut database,
        listener,
        &readiness_endpoint,
        &shutdown,
    )
    .await;
    database.stop().await;
    result.map(|()| ExitCode::SUCCESS)
}

/// Starts the server and the worker, and waits until a signal comes or a part fails.
async fn serve(
    args: &UpArgs,
    dir: &DataDir,
    database: &mut Database,
    listener: TcpListener,
    readiness_endpoint: &ReadinessEndpoint,
    shutdown: &CancellationToken,
) -> Result<()> {
    ck8s_db::migrate::up(database.url().expose_secret())
        .await
        .context("migrating the database")?;
    ck8s_db::adopt_cluster(database.url().expose_secret()).await?;
    let options = server_options(args, dir, database.url(), listener.local_addr()?)?;
    let mut server = Server::start(options, Some(listener)).await?;
    readiness_endpoint.set(server.readiness());
    let mut worker = None;
    let started = tokio::select! {
        started = start_rest(args, dir, database, &server, &mut worker) => started,
        () = shutdown.cancelled() => Ok(()),
    };
    let result = match started {
        Err(error) => Err(error),
        Ok(()) => tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            error = server.failed() => Err(error),
            error = database.failed() => Err(error),
            error = LocalWorker::failed(worker.as_mut()) => Err(error),
        },
    };
    let _ = dir.forget_ready();
    if let Some(worker) = worker {
        worker.stop().await;
    }
    server.stop().await;
    result
}

/// Returns the options of a server with all roles, whose secrets are in the data directory.
fn server_options(
    args: &UpArgs,
    dir: &DataDir,
    database_url: SecretString,
    address: SocketAddr,
) -> Result<Options> {
    Ok(Options {
        roles: Roles::all(),
        database_url: Some(database_url),
        mesh: MeshOptions::default(),
        secrets: Secrets {
            key_ring: Some(dir.key_ring()?),
            run_token_key: Some(dir.run_token_key()?),
            webhook_secret: Some(dir.webhook_secret()?),
            github_client_secret: Secrets::from_env().github_client_secret,
        },
        tuning: args.tuning.clone(),
        sign_in: args
            .sign_in
            .clone()
            .resolve_with_default_url(&local_url(address)),
    })
}

/// Makes the tokens and the demo, starts the worker, and writes the ready file.
async fn start_rest(
    args: &UpArgs,
    dir: &DataDir,
    database: &Database,
    server: &Server,
    worker: &mut Option<LocalWorker>,
) -> Result<()> {
    let auth = server
        .auth()
        .context("the role auth is among all")?
        .bootstrap();
    let url = local_url(server.address().context("the role edge is among all")?);
    let (admin, worker_token) = tokens::ensure(&auth, dir).await?;
    let webhook_secret = dir.webhook_secret()?;
    let demo = Demo::ensure(&url, &admin, &webhook_secret, &args.demo_image).await?;
    if !args.no_worker {
        let started = local_worker::start(args, dir, &url, worker_token)?;
        worker.insert(started).connected(&url, &admin).await?;
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
    banner::print(&ready, dir, args);
    Ok(())
}

/// Returns the address at which this machine reaches the listener.
fn local_url(address: SocketAddr) -> String {
    let host = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => "[::1]".to_owned(),
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    };
    format!("http://{host}:{}", address.port())
}
