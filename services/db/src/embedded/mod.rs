//! PostgreSQL's own binaries run as a private server for one machine: found, initialised, started, taken over, stopped.
//!
//! Layout under the given directory (a link to a place that the server's user can reach, if this one is closed to it): `data/` the
//! cluster and `run/` the socket, which belong to the server's user; `password`, `port`, `lock` and `server.log`, which are ours.
//!
//! Passwords, not trust: the server also listens on 127.0.0.1, where every user of the machine could knock. The password is random,
//! made once, kept in a file that only we can read; connections over the socket use it as well, so there is one rule.
mod account;
mod binaries;
mod home;
mod settings;
mod start;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::{Signal, kill};
use thiserror::Error;
use tokio::process::Child;

use self::start::Server;

/// How long a fast shutdown (it writes a checkpoint) may take before it is made an immediate one.
const FAST_STOP: Duration = Duration::from_secs(20);

/// How the server is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// What was committed survives a crash. Only tests switch it off.
    pub durable: bool,
}

/// The private server cannot be run.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// There is no PostgreSQL on this machine.
    #[error(
        "PostgreSQL's server programs are missing: looked in CK8S_PG_BIN, /usr/lib/postgresql/*/bin, Homebrew and PATH. \
         Install them (Debian, Ubuntu: apt-get install postgresql) or set DATABASE_URL"
    )]
    NoBinaries,
    /// We are root, and there is nobody to become.
    #[error(
        "PostgreSQL refuses to run as root, and this machine has neither a user postgres nor nobody"
    )]
    NoAccount,
    /// The data is of another major version than the binaries.
    #[error(
        "the data in {dir} is of PostgreSQL {found}, but the programs are {wanted}: set CK8S_PG_BIN to those of {found}"
    )]
    OtherVersion {
        /// Where the data is.
        dir: PathBuf,
        /// The data's major version.
        found: String,
        /// The binaries' major version.
        wanted: String,
    },
    /// Another process uses the directory.
    #[error("{0} is in use by another process: stop that one first, or choose another directory")]
    InUse(PathBuf),
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Which.
        program: String,
        /// What it said last.
        output: String,
    },
    /// The server does not answer.
    #[error("PostgreSQL does not answer: {0}")]
    NotReady(String),
    /// A file or a directory cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let path = path.to_owned();
    move |source| EmbeddedError::Io { path, source }
}

/// A running private server. Stop it with [`Embedded::stop`]; dropping it asks the server to stop and does not wait.
pub struct Embedded {
    server: Server,
    child: Option<Child>,
    /// Held while we live: two processes never run one cluster.
    _lock: std::fs::File,
}

impl Embedded {
    /// Starts the server of `dir`, making it first if it is not there. A server that a killed process left running is stopped before:
    /// so no session of the dead process lives on.
    ///
    /// # Errors
    /// No binaries, no account to run as, another process uses the directory, or the server does not come up.
    pub async fn start(dir: &Path, options: Options) -> Result<Self, EmbeddedError> {
        let home = home::Home::prepare(dir)?;
        let lock = home.lock()?;
        let (server, child) = start::start(home, options).await?;
        Ok(Self {
            server,
            child: Some(child),
            _lock: lock,
        })
    }

    /// The server's address as its superuser, over the unix socket. Holds a password: not for logs.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.socket_url("ck8s")
    }

    /// The same over TCP on 127.0.0.1, for other programs.
    #[must_use]
    pub fn tcp_url(&self) -> String {
        self.server.tcp_url("ck8s")
    }

    /// The server's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).unwrap_or(0)
    }

    /// Waits until the server ends, which it should not do by itself.
    pub async fn wait(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.wait().await;
        }
    }

    /// Stops the server: sessions are ended, a checkpoint is written.
    pub async fn stop(mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        signal(&child, Signal::SIGINT);
        if tokio::time::timeout(FAST_STOP, child.wait()).await.is_err() {
            tracing::warn!(
                "PostgreSQL does not stop: stopping it at once, it recovers at its next start"
            );
            signal(&child, Signal::SIGQUIT);
            let _ = child.wait().await;
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            signal(child, Signal::SIGINT);
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = child.id() {
        let _ = kill(start::pid(pid), signal);
    }
}

/// A server that no process owns: it outlives us, and whoever comes next finds it. For tests.
#[cfg(feature = "test")]
pub(crate) async fn start_detached(dir: &Path) -> Result<String, EmbeddedError> {
    let home = home::Home::prepare(dir)?;
    let (server, child) = start::start(home, Options { durable: false }).await?;
    drop(child); // tokio kills a dropped child only when asked to
    Ok(server.socket_url("postgres"))
}
