//! PostgreSQL's own programs, run as a private server for one machine: found, initialised, started, taken over,
//! stopped.
//!
//! Layout under the given directory (a link to a place that the server's user can reach, if this one is closed to it):
//! `data/` the cluster and `run/` the socket, which belong to the server's user; `password`, `port`, `lock` and
//! `server.log`, which belong to this process.
//!
//! Connections need a password: the server also listens on 127.0.0.1, where every user of the machine could connect.
//! The password is random, made once, and kept in a file that only this user can read. Connections over the socket use
//! it as well, so there is one rule.
mod account;
mod address;
mod binaries;
mod error;
mod home;
mod process;
mod settings;
mod start;

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use tokio::process::Child;

use self::{address::ServerAddress, process::FAST_STOP_TIMEOUT};

pub use self::{error::EmbeddedError, settings::Options};

/// A running private server. Stop it with [`Embedded::stop`]; dropping it asks the server to stop and does not wait.
pub struct Embedded {
    server: ServerAddress,
    child: Option<Child>,
    /// Held as long as this lives: two processes never run one cluster.
    _lock: std::fs::File,
}

impl Embedded {
    /// Starts the server of `dir`, and makes it first if it is not there. A server that a killed process left running
    /// is stopped before, so that no session of that process lives on.
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
        if tokio::time::timeout(FAST_STOP_TIMEOUT, child.wait())
            .await
            .is_err()
        {
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
        let _ = kill(process::pid(pid), signal);
    }
}

/// Starts a server that no process owns: it outlives this process. For tests.
#[cfg(feature = "test")]
pub(crate) async fn start_detached(dir: &Path) -> Result<String, EmbeddedError> {
    let home = home::Home::prepare(dir)?;
    let (server, child) = start::start(home, Options { durable: false }).await?;
    drop(child); // tokio kills a dropped child only when asked to
    Ok(server.socket_url("postgres"))
}
