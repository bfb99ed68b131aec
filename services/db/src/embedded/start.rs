//! Makes a cluster, clears what a killed process left, starts the server and waits until it answers.
use std::{
    fs::{self, OpenOptions},
    net::TcpListener,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::process::Child;

use super::{
    EmbeddedError, FAST_STOP, Options, at, binaries::Binaries, home::Home, settings::settings,
};
use crate::pool::parse;

/// How long a server may take to come up: after a crash it replays its log first.
const READY: Duration = Duration::from_secs(120);
/// How often a start is tried again whose reason to fail passes.
const ATTEMPTS: u32 = 50;
/// How much of a log is shown when a program failed.
const TAIL: usize = 2_000;

/// Where a running server is reached.
#[derive(Clone)]
pub(super) struct Server {
    socket_dir: PathBuf,
    port: u16,
    password: String,
}

impl Server {
    pub(super) fn socket_url(&self, database: &str) -> String {
        let Self {
            socket_dir,
            port,
            password,
        } = self;
        let host = encode(&socket_dir.display().to_string());
        format!(
            "postgres://ck8s:{password}@localhost:{port}/{database}?host={host}&sslmode=disable"
        )
    }

    pub(super) fn tcp_url(&self, database: &str) -> String {
        let Self { port, password, .. } = self;
        format!("postgres://ck8s:{password}@127.0.0.1:{port}/{database}?sslmode=disable")
    }
}

/// Starts the server of `home`. The caller holds the lock.
pub(super) async fn start(home: Home, options: Options) -> Result<(Server, Child), EmbeddedError> {
    let binaries = Binaries::find(home.version().as_deref())?;
    stop_left_over(&home).await?;
    let password = home.password()?;
    match home.version() {
        None => initdb(&home, &binaries, options).await?,
        Some(found) => {
            let wanted = binaries.version().unwrap_or_default();
            if found != wanted {
                return Err(EmbeddedError::OtherVersion {
                    dir: home.data(),
                    found,
                    wanted,
                });
            }
        }
    }
    let socket_dir = home.socket_dir()?;
    // The port of the last time, so that an address somebody noted stays good; another if it is taken.
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
        let server = Server {
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
                if attempts < ATTEMPTS && passes(&output) =>
            {
                tracing::debug!(output, "PostgreSQL did not start; once more");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the reason for a start that failed passes by itself: somebody took the port between our look and the server's, or sessions of a
/// killed server have not noticed its end yet.
fn passes(output: &str) -> bool {
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
    // Tests open thousands of connections, from programs that were built without optimisation: SCRAM's hashing, 4,096 rounds for each,
    // would be most of what they do.
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
    // Only now is the password ours alone.
    let password = home.path("password");
    nix::unistd::chown(&password, Some(nix::unistd::Uid::effective()), None)
        .map_err(|errno| at(&password)(errno.into()))?;
    let data = home.data();
    fs::rename(&fresh, &data).map_err(at(&data))
}

fn spawn(
    home: &Home,
    binaries: &Binaries,
    server: &Server,
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
    server: &Server,
    child: &mut Child,
    log_start: u64,
) -> Result<(), EmbeddedError> {
    let until = Instant::now() + READY;
    let log_tail = || {
        let bytes = fs::read(home.path("server.log")).unwrap_or_default();
        let start = usize::try_from(log_start).unwrap_or(0).min(bytes.len());
        tail(&String::from_utf8_lossy(&bytes[start..]))
    };
    loop {
        let error = match make_database(server).await {
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
async fn make_database(server: &Server) -> Result<(), crate::DbError> {
    let mut conn = parse(&server.socket_url("postgres"))?.connect().await?;
    let there = sqlx::query_scalar!("SELECT count(*) FROM pg_database WHERE datname = 'ck8s'")
        .fetch_one(&mut conn)
        .await?;
    if there == Some(0) {
        conn.execute("CREATE DATABASE ck8s").await?;
    }
    conn.close().await?;
    Ok(())
}

/// Stops the server of this cluster if a killed process left one running.
async fn stop_left_over(home: &Home) -> Result<(), EmbeddedError> {
    let note = home.data().join("postmaster.pid");
    let Some(left) = fs::read_to_string(&note)
        .ok()
        .and_then(|text| text.lines().next()?.trim().parse::<u32>().ok())
    else {
        return Ok(());
    };
    if kill(pid(left), None).is_err() {
        return Ok(()); // stale: the server sees that by itself, and checks for orphaned backends
    }
    if !is_postmaster(left, &home.data()) {
        // The number was given to another process, after a reboot for example. The server would wait for that one.
        tracing::warn!(
            pid = left,
            "postmaster.pid names a process that is not this cluster's: removing it"
        );
        return fs::remove_file(&note).map_err(at(&note));
    }
    tracing::info!(
        pid = left,
        "a killed process left PostgreSQL running: stopping it"
    );
    for (signal, patience) in [
        (Signal::SIGINT, FAST_STOP),
        (Signal::SIGQUIT, Duration::from_secs(10)),
    ] {
        let _ = kill(pid(left), signal);
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if !is_postmaster(left, &home.data()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    Err(EmbeddedError::InUse(home.dir.clone()))
}

/// Whether this process is the server of the cluster in `data`: it runs with that as its working directory.
fn is_postmaster(id: u32, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{id}"));
    if Path::new("/proc/self").exists() {
        // A process that ended and was not collected yet has no working directory.
        return fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == data);
    }
    let output = std::process::Command::new("ps")
        .args(["-o", "command=", "-p", &id.to_string()])
        .output();
    output.is_ok_and(|out| {
        String::from_utf8_lossy(&out.stdout).contains(&*data.display().to_string())
    })
}

pub(super) fn pid(id: u32) -> Pid {
    Pid::from_raw(i32::try_from(id).unwrap_or(i32::MAX))
}

fn tail(text: &str) -> String {
    let text = text.trim();
    let mut start = text.len().saturating_sub(TAIL);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}

/// Percent-encodes what would end a value in a url's query.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}
