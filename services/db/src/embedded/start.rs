//! Making a cluster, starting its server, and waiting until it answers.
use std::{
    fs::{self, OpenOptions},
    net::TcpListener,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use nix::sys::signal::{Signal, kill};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::process::Child;

use super::{
    address::ServerAddress,
    binaries::Binaries,
    error::{EmbeddedError, at},
    home::Home,
    process::{pid, stop_left_over},
    settings::{Options, settings},
};
use crate::pool::parse;

/// How long a server may take to answer: after a crash it replays its log first.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Bounds the attempts to start where the reason for the failure passes by itself.
const MAX_ATTEMPTS: u32 = 50;
/// Bounds how much of a log is shown when a program failed.
const MAX_TAIL_BYTES: usize = 2_000;

/// Starts the server of `home`. The caller holds the lock.
pub(super) async fn start(
    home: Home,
    options: Options,
) -> Result<(ServerAddress, Child), EmbeddedError> {
    let binaries = Binaries::find(home.version().as_deref())?;
    stop_left_over(&home).await?;
    let password = home.password()?;
    match home.version() {
        None => initdb(&home, &binaries, options).await?,
        Some(data_version) => {
            let program_version = binaries.version().unwrap_or_default();
            if data_version != program_version {
                return Err(EmbeddedError::OtherVersion {
                    dir: home.data(),
                    data_version,
                    program_version,
                });
            }
        }
    }
    let socket_dir = home.socket_dir()?;
    // The port of the last start, so that a noted address stays valid; another one if it is taken.
    let mut port: Option<u16> = fs::read_to_string(home.path("port"))
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let mut attempts = 0;
    loop {
        attempts += 1;
        let chosen = match port
            .take()
            .filter(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        {
            Some(port) => port,
            None => free_port()?,
        };
        let server = ServerAddress {
            socket_dir: socket_dir.clone(),
            port: chosen,
            password: password.clone(),
        };
        let log_start = fs::metadata(home.path("server.log")).map_or(0, |meta| meta.len());
        let mut child = spawn(&home, &binaries, &server, options)?;
        match ready(&home, &server, &mut child, log_start).await {
            Ok(()) => {
                let note = home.path("port");
                fs::write(&note, chosen.to_string()).map_err(at(&note))?;
                return Ok((server, child));
            }
            Err(EmbeddedError::Program { output, .. })
                if attempts < MAX_ATTEMPTS && is_transient(&output) =>
            {
                tracing::debug!(output, "PostgreSQL did not start; trying again");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the reason for a failed start passes by itself: somebody took the port just before the server, or sessions
/// of a killed server have not noticed its end yet.
fn is_transient(output: &str) -> bool {
    [
        "could not bind",
        "could not create any TCP/IP sockets",
        "shared memory block",
    ]
    .iter()
    .any(|reason| output.contains(reason))
}

fn free_port() -> Result<u16, EmbeddedError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(at(Path::new("127.0.0.1")))?;
    Ok(listener
        .local_addr()
        .map_err(at(Path::new("127.0.0.1")))?
        .port())
}

async fn initdb(home: &Home, binaries: &Binaries, options: Options) -> Result<(), EmbeddedError> {
    // Tests open thousands of connections, from programs that were built without optimisation: SCRAM's hashing, 4,096
    // rounds for each, would be most of what they do.
    let auth = if options.durable {
        "--auth=scram-sha-256"
    } else {
        "--auth=md5"
    };
    // Made beside and renamed when whole: a crash in between leaves no half cluster that looks like one.
    let fresh = home.path("data.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(at(&fresh))?;
    }
    home.give(&fresh)?;
    let program = binaries.program("initdb");
    let output = home
        .account
        .command(&program)
        .current_dir("/")
        .args([
            "--username=ck8s",
            auth,
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ])
        .args(["--no-instructions", "--no-sync"])
        .arg(format!("--pwfile={}", home.path("password").display()))
        .arg("-D")
        .arg(&fresh)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(at(&program))?;
    if !output.status.success() {
        return Err(EmbeddedError::Program {
            program: "initdb".to_owned(),
            output: tail(&String::from_utf8_lossy(&output.stderr)),
        });
    }
    // From now on only this user may read the password.
    let password = home.path("password");
    nix::unistd::chown(&password, Some(nix::unistd::Uid::effective()), None)
        .map_err(|errno| at(&password)(errno.into()))?;
    let data = home.data();
    fs::rename(&fresh, &data).map_err(at(&data))
}

fn spawn(
    home: &Home,
    binaries: &Binaries,
    server: &ServerAddress,
    options: Options,
) -> Result<Child, EmbeddedError> {
    let path = home.path("server.log");
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(at(&path))?;
    let errors = log.try_clone().map_err(at(&path))?;
    let program = binaries.program("postgres");
    let mut command = home.account.command(&program);
    command.current_dir("/").arg("-D").arg(home.data());
    for setting in settings(&server.socket_dir, server.port, options) {
        command.arg("-c").arg(setting);
    }
    command
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(at(&program))
}

async fn ready(
    home: &Home,
    server: &ServerAddress,
    child: &mut Child,
    log_start: u64,
) -> Result<(), EmbeddedError> {
    let until = Instant::now() + START_TIMEOUT;
    let log_tail = || {
        let bytes = fs::read(home.path("server.log")).unwrap_or_default();
        let start = usize::try_from(log_start).unwrap_or(0).min(bytes.len());
        tail(&String::from_utf8_lossy(&bytes[start..]))
    };
    loop {
        let error = match ensure_database(server).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if let Ok(Some(_)) = child.try_wait() {
            return Err(EmbeddedError::Program {
                program: "postgres".to_owned(),
                output: log_tail(),
            });
        }
        if Instant::now() > until {
            if let Some(id) = child.id() {
                let _ = kill(pid(id), Signal::SIGINT);
            }
            return Err(EmbeddedError::NotReady(format!(
                "{error}; its log ends: {}",
                log_tail()
            )));
        }
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// Connects, and makes the database `ck8s` if it is not there.
async fn ensure_database(server: &ServerAddress) -> Result<(), crate::DbError> {
    let mut conn = parse(&server.socket_url("postgres"))?.connect().await?;
    let count = sqlx::query_scalar!("SELECT count(*) FROM pg_database WHERE datname = 'ck8s'")
        .fetch_one(&mut conn)
        .await?;
    if count == Some(0) {
        conn.execute("CREATE DATABASE ck8s").await?;
    }
    conn.close().await?;
    Ok(())
}

fn tail(text: &str) -> String {
    let text = text.trim();
    let mut start = text.len().saturating_sub(MAX_TAIL_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}
